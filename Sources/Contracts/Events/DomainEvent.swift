package import Foundation

/// One fact about a change of state, as the service that changed it writes it into its outbox, in the transaction of
/// that change.
package struct DomainEvent: Sendable, Hashable, Identifiable {
    /// A UUIDv7: the identity by which every consumer recognises a duplicate.
    package let id: UUID
    package let type: EventType
    /// What the event is about: the id of a user, session, tenant …
    package let subject: String
    package let tenantID: UUID
    package let time: EventTime
    /// A JSON object; exactly these bytes are published and hashed.
    package let data: String

    /// - Parameters:
    ///   - data: becomes a JSON object with sorted keys; at most ``maximumDataBytes``.
    /// - Throws: `EncodingError` when `data` has no JSON form, ``DomainEventError`` when it is no object or too large.
    package init(
        id: UUID = .v7(), type: EventType, subject: String, tenantID: UUID, time: Date = Date(), data: some Encodable
    ) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.dateEncodingStrategy = .custom { date, encoder in
            var container = encoder.singleValueContainer()
            try container.encode(EventTime(date).text)
        }
        let text = String(decoding: try encoder.encode(data), as: UTF8.self)
        guard text.utf8.first == UInt8(ascii: "{") else { throw DomainEventError.dataIsNoObject }
        guard text.utf8.count <= Self.maximumDataBytes else { throw DomainEventError.dataTooLarge }
        self.init(id: id, type: type, subject: subject, tenantID: tenantID, time: EventTime(time), json: text)
    }

    /// An event whose `data` is JSON already: how one is read back.
    package init(id: UUID, type: EventType, subject: String, tenantID: UUID, time: EventTime, json: String) {
        self.id = id
        self.type = type
        self.subject = subject
        self.tenantID = tenantID
        self.time = time
        self.data = json
    }

    /// The same event with the time that a store has given it.
    package func stored(at time: Date) -> DomainEvent {
        DomainEvent(id: id, type: type, subject: subject, tenantID: tenantID, time: EventTime(time), json: data)
    }

    /// The most that `data` may take.
    package static let maximumDataBytes = 64 * 1_024
}

/// Why an event could not be made.
package enum DomainEventError: Error, Sendable, Hashable, CustomStringConvertible {
    case dataIsNoObject, dataTooLarge

    package var description: String {
        switch self {
        case .dataIsNoObject: "an event's data must be a JSON object"
        case .dataTooLarge: "an event's data is larger than \(DomainEvent.maximumDataBytes) bytes"
        }
    }
}
