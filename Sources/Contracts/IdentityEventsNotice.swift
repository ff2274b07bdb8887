import Foundation

/// `POST /api/v1/internal/identity-events`: identity tells session at once what its outbox guarantees that session hears, so
/// that it holds while the broker is away. The events are the stored ones, with their ids and times, since they come once more
/// by the broker: each is applied as if it had come from there. Doing it twice is as good as once.
package struct IdentityEventsNotice: Sendable, Hashable {
    /// More are not taken at once.
    package static let maximumCount = 100

    package var events: [DomainEvent]

    package init(events: [DomainEvent]) {
        self.events = events
    }
}

/// How many events were applied.
package struct AppliedCount: Codable, Sendable, Hashable {
    package var applied: Int

    package init(applied: Int) {
        self.applied = applied
    }
}

extension IdentityEventsNotice: Codable {
    private enum CodingKeys: String, CodingKey {
        case events
    }

    private struct Item: Codable {
        var id: UUID
        var type: EventType
        var subject: String
        var tenantID: UUID
        var time: String
        /// The JSON text, as it is stored.
        var data: String

        enum CodingKeys: String, CodingKey {
            case id, type, subject
            case tenantID = "tenant_id"
            case time, data
        }
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        events = try container.decode([Item].self, forKey: .events).map { item in
            guard let time = EventTime(item.time) else {
                throw DecodingError.dataCorruptedError(
                    forKey: .events, in: container, debugDescription: "time is not RFC 3339")
            }
            return DomainEvent(
                id: item.id, type: item.type, subject: item.subject, tenantID: item.tenantID, time: time,
                json: item.data)
        }
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        let items = events.map {
            Item(
                id: $0.id, type: $0.type, subject: $0.subject, tenantID: $0.tenantID, time: $0.time.text,
                data: $0.data)
        }
        try container.encode(items, forKey: .events)
    }
}
