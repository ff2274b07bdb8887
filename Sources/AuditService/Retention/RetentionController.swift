import Contracts
import Foundation
package import Hummingbird
package import MicroMiddleware

/// How long the trail is kept, for auditors to see and for the suite's administrators to say.
package struct RetentionController: Sendable {
    private let retention: AuditRetention
    private let outbox: Outbox

    package init(retention: AuditRetention, outbox: Outbox) {
        self.retention = retention
        self.outbox = outbox
    }

    /// Adds `retention-policy` to a group at `api/v1/admin/audit` that requires `audit:read`.
    package func addReadRoute(to group: RouterGroup<AuthenticatedRequestContext>) {
        group.get("retention-policy", use: show)
    }

    /// Adds its change to a group at `api/v1/admin/audit` that requires `audit:retention`.
    package func addWriteRoute(to group: RouterGroup<AuthenticatedRequestContext>) {
        group.put("retention-policy", use: change)
    }

    @Sendable private func show(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<RetentionView> {
        Envelope(try await view(context))
    }

    @Sendable private func change(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<RetentionView> {
        // Months are of the whole suite's records.
        guard context.identity.tenantID == DefaultTenant.id else { throw APIError(.permissionDenied) }
        let body = try await request.decode(as: RetentionRequest.self, context: context)
        let floor = try await retention.policy(deadline: context.deadline).floorMonths
        if let months = body.keepMonths, !(floor...1_200).contains(months) {
            throw APIError.invalid("keep_months", "must be null, which is for ever, or from \(floor) to 1200")
        }
        try await retention.set(
            keepMonths: body.keepMonths, by: context.identity.subject, requestID: context.requestID,
            deadline: context.deadline)
        outbox.wake()
        return Envelope(try await view(context))
    }

    private func view(_ context: AuthenticatedRequestContext) async throws -> RetentionView {
        RetentionView(
            try await retention.policy(deadline: context.deadline),
            dropped: try await retention.dropped(deadline: context.deadline))
    }
}

private struct RetentionRequest: Decodable {
    let keepMonths: Int?

    private enum CodingKeys: String, CodingKey {
        case keepMonths = "keep_months"
    }

    /// The member must be there: for ever is said, not left out.
    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        keepMonths = try container.decode(Int?.self, forKey: .keepMonths)
    }
}

/// `GET` and `PUT /admin/audit/retention-policy`
struct RetentionView: Encodable, Sendable {
    struct Month: Encodable, Sendable {
        let month: String
        let records: Int64
        let droppedAt: String

        enum CodingKeys: String, CodingKey {
            case month, records
            case droppedAt = "dropped_at"
        }
    }

    private let policy: RetentionPolicy
    private let dropped: [Month]

    init(_ policy: RetentionPolicy, dropped: [DroppedMonth]) {
        self.policy = policy
        self.dropped = dropped.map {
            Month(month: $0.month, records: $0.records, droppedAt: EventTime($0.droppedAt).text)
        }
    }

    private enum CodingKeys: String, CodingKey {
        case dropped
        case keepMonths = "keep_months"
        case minimumMonths = "minimum_months"
        case changedAt = "changed_at"
        case changedBy = "changed_by"
    }

    /// What is for ever, and what nobody has changed, is `null`.
    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(policy.keepMonths, forKey: .keepMonths)
        try container.encode(policy.floorMonths, forKey: .minimumMonths)
        try container.encode(policy.changedAt.map { EventTime($0).text }, forKey: .changedAt)
        try container.encode(policy.changedBy, forKey: .changedBy)
        try container.encode(dropped, forKey: .dropped)
    }
}
