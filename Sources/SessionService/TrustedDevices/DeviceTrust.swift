package import ConnectionKit
package import Contracts
import Crypto
package import Foundation
package import MicroMiddleware

/// Trusting devices: a device that is given a token can show later that its user has vouched for it.
package struct DeviceTrust: Sendable {
    let repository: any TrustedDeviceRepository
    let now: @Sendable () -> Date

    package init(repository: any TrustedDeviceRepository, now: @escaping @Sendable () -> Date = { Date() }) {
        self.repository = repository
        self.now = now
    }

    /// - Parameter name: 1 to 100 characters; what the user agent is, where there is none.
    /// - Returns: the device, and its token, which is nowhere to be had again.
    /// - Throws: ``APIError`` 422001 for a name that will not do.
    package func trust(
        _ name: String?, by identity: AccessTokenClaims, actor: SessionActor, deadline: Deadline
    ) async throws -> (device: TrustedDevice, token: Secret<String>) {
        let name = name?.trimmingCharacters(in: .whitespacesAndNewlines) ?? DeviceName.from(actor.userAgent)
        guard (1...100).contains(name.unicodeScalars.count) else {
            throw APIError.invalid("name", "must have 1 to 100 characters")
        }
        var generator = SystemRandomNumberGenerator()
        let random = (0..<32).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
        let token = TrustedDeviceQuestion.prefix + Hex.text(random)
        let now = now()
        let device = TrustedDevice(
            id: .v7(now: now), tenantID: identity.tenantID, userID: identity.subject, sessionID: identity.sessionID,
            name: name, tokenHash: Self.hash(token), userAgent: actor.userAgent, ip: actor.ip, createdAt: now,
            expiresAt: now + TrustedDevice.lifetime.timeInterval)
        try await repository.add(
            device, event: try event(.deviceTrusted, identity, actor, details: ["device_id": device.id.text]),
            deadline: deadline.forStatement)
        return (device, Secret(token))
    }

    /// - Returns: how many devices went; 0 where there is none of this id.
    package func forget(
        _ id: UUID?, by identity: AccessTokenClaims, actor: SessionActor, deadline: Deadline
    ) async throws -> Int {
        try await repository.forget(
            id, of: identity.subject, tenantID: identity.tenantID,
            event: try event(.deviceForgotten, identity, actor, details: ["device_id": id?.text ?? "all"]),
            deadline: deadline.forStatement)
    }

    /// A password was changed, or a user is gone: whoever held a device's token proves nothing by it any more.
    package func forgetEverything(
        of user: UUID, tenantID: UUID, because cause: SessionCause, actor: SessionActor, deadline: Deadline
    ) async throws {
        let event = try DomainEvent(
            type: .deviceForgotten, subject: user.text, tenantID: tenantID, time: now(),
            data: EventDetail(
                actorID: actor.userID, ip: actor.ip, userAgent: actor.userAgent, requestID: actor.requestID,
                status: .success, details: ["device_id": "all"]))
        _ = try await repository.forget(
            nil, of: user, tenantID: tenantID, because: cause, event: event, deadline: deadline)
    }

    /// Whether a token is one of a trusted device of the user's.
    package func check(_ question: TrustedDeviceQuestion, deadline: Deadline) async throws -> Bool {
        guard question.isWellFormed else { return false }
        return try await repository.use(
            Self.hash(question.deviceToken), of: question.userID, tenantID: question.tenantID, now: now(),
            deadline: deadline.forStatement)
    }

    private static func hash(_ token: String) -> [UInt8] {
        Array(SHA256.hash(data: Array(token.utf8)))
    }

    private func event(
        _ type: EventType, _ identity: AccessTokenClaims, _ actor: SessionActor, details: [String: String]
    ) throws -> DomainEvent {
        try DomainEvent(
            type: type, subject: identity.subject.text, tenantID: identity.tenantID, time: now(),
            data: EventDetail(
                actorID: identity.subject, actorType: "user", sessionID: identity.sessionID, ip: actor.ip,
                userAgent: actor.userAgent, requestID: actor.requestID, status: .success, details: details))
    }
}
