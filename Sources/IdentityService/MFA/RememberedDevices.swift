import Contracts
package import Foundation
package import MicroMiddleware

/// Remembering devices, and recognising them by a signed token that stands for the second factor, never for the password.
package struct RememberedDevices: Sendable {
    /// What the token says.
    private struct Statement: Codable {
        static let type = "mfa-device+jwt"
        static let maximumTextCount = 2_048

        let id: UUID
        let userID: UUID
        let tenantID: UUID
        /// Seconds since 1970.
        let expiresAt: Int64
        /// Of the password that it was given with: changed, the device is not recognised any more.
        let passwordStamp: Int64

        enum CodingKeys: String, CodingKey {
            case id = "jti"
            case userID = "sub"
            case tenantID = "tenant_id"
            case expiresAt = "exp"
            case passwordStamp = "pwd"
        }
    }

    let repository: any RememberedDeviceRepository
    let ring: KeyRing
    let now: @Sendable () -> Date

    package init(
        repository: any RememberedDeviceRepository, ring: KeyRing, now: @escaping @Sendable () -> Date = { Date() }
    ) {
        self.repository = repository
        self.ring = ring
        self.now = now
    }

    /// - Returns: the device's token; nil where the tenant remembers none.
    package func remember(_ account: Account, origin: RequestOrigin) async throws -> String? {
        guard account.mfaPolicy.rememberDays > 0 else { return nil }
        let (user, moment) = (account.user, now())
        let device = RememberedDevice(
            userID: user.id, tenantID: user.tenantID, userAgent: origin.userAgent, createdAt: moment,
            expiresAt: moment.addingTimeInterval(Double(account.mfaPolicy.rememberDays) * 86_400))
        let event = try origin.event(
            .rememberedDeviceAdded, user: user.id, tenantID: user.tenantID, actor: user.id,
            details: ["device_id": device.id.text])
        try await repository.remember(device, event: event, deadline: origin.scope.deadline.forStatement)
        let statement = Statement(
            id: device.id, userID: user.id, tenantID: user.tenantID,
            expiresAt: Int64(device.expiresAt.timeIntervalSince1970), passwordStamp: account.passwordStamp)
        return try SignedStatement.sign(statement, type: Statement.type, ring: ring)
    }

    /// Whether a token is one of a device that this account is remembered on.
    package func recognises(_ token: String, for account: Account, origin: RequestOrigin) async throws -> Bool {
        let (user, moment) = (account.user, now())
        guard token.utf8.count <= Statement.maximumTextCount, account.mfaPolicy.rememberDays > 0,
            let statement = try? SignedStatement.verify(token, type: Statement.type, ring: ring, as: Statement.self),
            statement.userID == user.id, statement.tenantID == user.tenantID,
            statement.passwordStamp == account.passwordStamp,
            moment.timeIntervalSince1970 < Double(statement.expiresAt)
        else { return false }
        return try await repository.use(
            device: statement.id, of: user.id, tenantID: user.tenantID, now: moment,
            deadline: origin.scope.deadline.forStatement)
    }
}
