import ConnectionKit
import Contracts
import Foundation
package import Hummingbird
package import MicroMiddleware

/// The audit trail for those who may read their tenant's: nobody sees another tenant's records.
package struct AuditController: Sendable {
    private let reader: AuditReader

    package init(reader: AuditReader) {
        self.reader = reader
    }

    /// Adds `logs`, `logs/{id}`, `stats`, `streams`, `hashchain/{tenant_id}` and `verifications` to a group at
    /// `api/v1/admin/audit` that requires `audit:read`.
    package func addAdminRoutes(to group: RouterGroup<AuthenticatedRequestContext>) {
        group.get("logs", use: logs)
        group.get("logs/:id", use: log)
        group.get("stats", use: stats)
        group.get("streams", use: streams)
        group.get("hashchain/:tenant_id", use: chain)
        group.post("verifications", use: verification)
    }

    /// Adds `me/audit-logs` to a group at `api/v1/auth`.
    package func addOwnRoutes(to group: RouterGroup<AuthenticatedRequestContext>) {
        group.get("me/audit-logs", use: ownLogs)
    }

    /// Adds `users/{user_id}/login-histories` to a group at `api/v1/admin` that requires `users:read`.
    package func addUserRoutes(to group: RouterGroup<AuthenticatedRequestContext>) {
        group.get("users/:user_id/login-histories", use: logins)
    }

    /// Who may read users may read how they signed in, without reading the rest of the trail.
    @Sendable private func logins(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> ListEnvelope<AuditRecordView> {
        guard let user = context.parameters.get("user_id").flatMap({ UUID(uuidString: $0) }) else {
            throw APIError(.notFound, "There is no such user.")
        }
        var query = AuditQuery(tenantID: context.identity.tenantID)
        (query.userID, query.action) = (user.text, "identity.login.*")
        return try await list(query, request, context)
    }

    @Sendable private func logs(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> ListEnvelope<AuditRecordView> {
        let query = try AuditQuery(request, tenantID: context.identity.tenantID)
        return try await list(query, request, context)
    }

    @Sendable private func ownLogs(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> ListEnvelope<AuditRecordView> {
        var query = try AuditQuery(request, tenantID: context.identity.tenantID)
        query.userID = context.identity.subject.text
        return try await list(query, request, context)
    }

    private func list(
        _ query: AuditQuery, _ request: Request, _ context: AuthenticatedRequestContext
    ) async throws -> ListEnvelope<AuditRecordView> {
        let page = try Page(request)
        let (records, total) = try await reader.records(query, page: page, deadline: context.deadline)
        return ListEnvelope(records.map(AuditRecordView.init), total: total, countedUpTo: page.countBound, page: page)
    }

    @Sendable private func log(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<AuditRecordView> {
        guard let id = context.parameters.get("id").flatMap({ UUID(uuidString: $0) }) else {
            throw APIError.invalid("id", "must be a UUID")
        }
        let record = try await reader.record(id, tenantID: context.identity.tenantID, deadline: context.deadline)
        guard let record else { throw APIError(.notFound) }
        return Envelope(AuditRecordView(record))
    }

    @Sendable private func stats(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<AuditStats> {
        var query = try AuditQuery(request, tenantID: context.identity.tenantID)
        let end = query.end ?? EventTime(Date())
        let start = query.start ?? EventTime(milliseconds: end.milliseconds - 86_400_000)
        (query.start, query.end) = (start, end)
        let byStatus = try await reader.counts(query, by: "status", deadline: context.deadline)
        return Envelope(
            AuditStats(
                total: byStatus.values.reduce(0, +),
                byAction: try await reader.counts(query, by: "action", deadline: context.deadline),
                byStatus: byStatus,
                byLevel: try await reader.counts(query, by: "level", deadline: context.deadline),
                byModule: try await reader.counts(query, by: "module", deadline: context.deadline),
                startTime: start.text, endTime: end.text))
    }

    @Sendable private func streams(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<[StreamStatusView]> {
        try context.requireOperator()
        return Envelope(try await reader.streams(deadline: context.deadline).map(StreamStatusView.init))
    }

    @Sendable private func chain(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<ChainView> {
        guard let id = context.parameters.get("tenant_id").flatMap({ UUID(uuidString: $0) }) else {
            throw APIError.invalid("tenant_id", "must be a UUID")
        }
        guard id == context.identity.tenantID else {
            throw APIError(.permissionDenied, "The chain of another tenant is not yours to read.")
        }
        return Envelope(ChainView(try await reader.chain(of: id, deadline: context.deadline)))
    }

    /// Reads the tenant's whole chain, or as far as it comes in three quarters of the request's time, so that there is an
    /// answer before the gateway gives up: it names the place at which the next request goes on (`after`).
    @Sendable private func verification(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<ChainView> {
        let tenantID = context.identity.tenantID
        let place = try request.uri.queryParameters["after"].map { text in
            guard let place = TenantChain(tenantID: tenantID, place: text) else {
                throw APIError.invalid("after", "must be the next of an answer: a sequence, a hyphen and a hash")
            }
            return place
        }
        let found = try await reader.verify(
            tenantID: tenantID, after: place, until: .after(context.deadline.remaining * 3 / 4),
            deadline: context.deadline)
        return Envelope(ChainView(found), message: found.isComplete ? "ok" : "Not all is read: go on after next.")
    }
}
