import Contracts
import Foundation
import Hummingbird
import MicroMiddleware

/// The devices that signed-in users trust.
struct TrustedDeviceController: Sendable {
    let trust: DeviceTrust
    let now: @Sendable () -> Date

    init(trust: DeviceTrust, now: @escaping @Sendable () -> Date = { Date() }) {
        self.trust = trust
        self.now = now
    }

    /// Adds the routes to a group at `api/v1`.
    func addRoutes(to group: some RouterMethods<AuthenticatedRequestContext>) {
        group.group("trusted-devices")
            .get(use: list)
            .post(use: add)
            .delete(use: forgetAll)
            .delete(":device_id", use: forget)
    }

    @Sendable private func list(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> ListEnvelope<TrustedDeviceView> {
        let (identity, page) = (context.identity, try Page(request))
        let devices = try await trust.repository.devices(
            of: identity.subject, tenantID: identity.tenantID, now: now(), deadline: context.deadline.forStatement)
        let shown = devices.dropFirst(page.offset).prefix(page.size).map { TrustedDeviceView($0) }
        return ListEnvelope(shown, total: devices.count, page: page)
    }

    @Sendable private func add(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<TrustedDeviceView> {
        let body = try await request.decode(as: TrustRequest.self, context: context)
        let actor = SessionActor(context, userID: context.identity.subject)
        let added = try await trust.trust(body.name, by: context.identity, actor: actor, deadline: context.deadline)
        return Envelope(
            TrustedDeviceView(added.device, token: added.token.reveal()), message: "trusted", status: .created)
    }

    @Sendable private func forget(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<ForgottenCount> {
        guard let id = context.parameters.get("device_id", as: UUID.self) else { throw Self.unknown }
        let actor = SessionActor(context, userID: context.identity.subject)
        let count = try await trust.forget(id, by: context.identity, actor: actor, deadline: context.deadline)
        guard count > 0 else { throw Self.unknown }
        return Envelope(ForgottenCount(forgotten: count), message: "no longer trusted")
    }

    @Sendable private func forgetAll(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<ForgottenCount> {
        let actor = SessionActor(context, userID: context.identity.subject)
        let count = try await trust.forget(nil, by: context.identity, actor: actor, deadline: context.deadline)
        return Envelope(ForgottenCount(forgotten: count), message: "no device is trusted any more")
    }

    private static let unknown = APIError(.notFound, "There is no such device.")
}

// MARK: - Bodies

private struct TrustRequest: Decodable {
    let name: String?
}

private struct ForgottenCount: Encodable {
    let forgotten: Int
}

private struct TrustedDeviceView: Encodable {
    let id: String
    let name: String
    let userAgent: String?
    let ip: String?
    let createdAt: Date
    let lastUsedAt: Date?
    let expiresAt: Date
    /// Said once, when the device is added.
    let deviceToken: String?

    init(_ device: TrustedDevice, token: String? = nil) {
        id = device.id.text
        name = device.name
        userAgent = device.userAgent
        ip = device.ip
        createdAt = device.createdAt
        lastUsedAt = device.lastUsedAt
        expiresAt = device.expiresAt
        deviceToken = token
    }

    enum CodingKeys: String, CodingKey {
        case id, name, ip
        case userAgent = "user_agent"
        case createdAt = "created_at"
        case lastUsedAt = "last_used_at"
        case expiresAt = "expires_at"
        case deviceToken = "device_token"
    }
}
