import Contracts
import Foundation
import Hummingbird
import MicroMiddleware

/// What custom fields a tenant's profiles have: everybody may read it, to show a form; administrators change it.
struct CustomFieldController: Sendable {
    let repository: any ProfileRepository
    let now: @Sendable () -> Date

    init(repository: any ProfileRepository, now: @escaping @Sendable () -> Date = { Date() }) {
        self.repository = repository
        self.now = now
    }

    /// Adds the routes to a group at `api/v1`.
    func addRoutes(to group: some RouterMethods<AuthenticatedRequestContext>) {
        group.get("custom-fields", use: show)
        group.requiring(.profilesWrite)
            .put("admin/custom-fields", use: replace)
            .delete("admin/custom-fields", use: remove)
    }

    @Sendable private func show(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<CustomFieldsView> {
        let schema = try await repository.customFields(
            of: context.identity.tenantID, deadline: context.deadline.forStatement)
        return Envelope(CustomFieldsView(schema))
    }

    @Sendable private func replace(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<CustomFieldsView> {
        let schema = try await request.decode(as: CustomFieldSchema.self, context: context)
        guard schema.faults.isEmpty else { throw ProfileError.invalid(schema.faults) }
        try await set(schema, context)
        return Envelope(CustomFieldsView(schema), message: "changed")
    }

    @Sendable private func remove(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<CustomFieldsView> {
        try await set(nil, context)
        return Envelope(CustomFieldsView(nil), message: "any field is taken now")
    }

    private func set(_ schema: CustomFieldSchema?, _ context: AuthenticatedRequestContext) async throws {
        let identity = context.identity
        let event = try DomainEvent(
            type: .customFieldsChanged, subject: identity.tenantID.text, tenantID: identity.tenantID, time: now(),
            data: EventDetail(
                actorID: identity.subject, actorType: "user", sessionID: identity.sessionID, ip: context.clientAddress,
                userAgent: context.userAgent, requestID: context.requestID, status: .success,
                details: [
                    "fields": String((schema?.fields.keys.sorted().joined(separator: ",") ?? "any").prefix(1_000))
                ]))
        try await repository.setCustomFields(
            schema, of: identity.tenantID, event: event, deadline: context.deadline.forStatement)
    }
}

private struct CustomFieldsView: Encodable {
    /// Whether fields that are not named are taken: as long as the tenant has said nothing.
    let anyField: Bool
    let fields: [String: CustomField]

    init(_ schema: CustomFieldSchema?) {
        anyField = schema == nil
        fields = schema?.fields ?? [:]
    }

    enum CodingKeys: String, CodingKey {
        case fields
        case anyField = "any_field"
    }
}
