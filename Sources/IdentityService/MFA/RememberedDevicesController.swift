import Contracts
import Foundation
import Hummingbird
import MicroMiddleware

/// The devices on which a user is not asked for the second factor: seen and forgotten by their owner.
struct RememberedDevicesController: Sendable {
    let repository: any RememberedDeviceRepository

    /// Adds the routes to a group at `api/v1`.
    func addRoutes(to group: some RouterMethods<AuthenticatedRequestContext>) {
        group.get("auth/me/remembered-devices", use: list)
        group.delete("auth/me/remembered-devices", use: forget)
        group.delete("auth/me/remembered-devices/:device_id", use: forgetOne)
    }

    @Sendable private func list(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> ListEnvelope<DeviceView> {
        let identity = context.identity
        let devices = try await repository.devices(
            of: identity.subject, tenantID: identity.tenantID, now: Date(), deadline: context.deadline.forStatement)
        return ListEnvelope(
            devices.map(DeviceView.init), total: devices.count, page: Page(size: RememberedDevice.maximumCount))
    }

    @Sendable private func forget(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<Forgotten> {
        Envelope(Forgotten(count: try await forget(nil, context)), message: "forgotten")
    }

    @Sendable private func forgetOne(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Response {
        guard let id = context.parameters.get("device_id", as: UUID.self), try await forget(id, context) > 0 else {
            throw APIError(.notFound, "There is no such device.")
        }
        return Response(status: .noContent)
    }

    private func forget(_ id: UUID?, _ context: AuthenticatedRequestContext) async throws -> Int {
        let identity = context.identity
        let event = try RequestOrigin(context).event(
            .rememberedDeviceRemoved, user: identity.subject, tenantID: identity.tenantID, actor: identity.subject,
            session: identity.sessionID, details: ["device_id": id?.text ?? "all"])
        return try await repository.forget(
            device: id, of: identity.subject, tenantID: identity.tenantID, event: event,
            deadline: context.deadline.forStatement)
    }
}

private struct DeviceView: Encodable, Sendable {
    let id: String
    let userAgent: String?
    let createdAt: Date
    let expiresAt: Date
    let lastUsedAt: Date?

    init(_ device: RememberedDevice) {
        id = device.id.text
        userAgent = device.userAgent
        createdAt = device.createdAt
        expiresAt = device.expiresAt
        lastUsedAt = device.lastUsedAt
    }

    enum CodingKeys: String, CodingKey {
        case id
        case userAgent = "user_agent"
        case createdAt = "created_at"
        case expiresAt = "expires_at"
        case lastUsedAt = "last_used_at"
    }
}

private struct Forgotten: Encodable {
    let count: Int
}
