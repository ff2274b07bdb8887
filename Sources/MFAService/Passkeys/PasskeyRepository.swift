package import ConnectionKit
package import Contracts
package import Foundation

/// What became of a passkey's signature.
package enum PasskeyVerdict: Sendable, Hashable {
    case accepted
    /// Its counter did not rise: it may have been copied.
    case counterFell
    /// The challenge was used before, or the passkey is gone.
    case refused
}

/// The store of passkeys. Whatever changes something takes the event that tells of it and stores both or neither.
package protocol PasskeyRepository: Sendable {
    func passkeys(of userID: UUID, tenantID: UUID, deadline: Deadline) async throws -> [Passkey]

    func passkey(credentialID: [UInt8], tenantID: UUID, deadline: Deadline) async throws -> Passkey?

    /// Remembers a nonce for one registration.
    func beginRegistration(
        _ nonce: [UInt8], of userID: UUID, tenantID: UUID, expiresAt: Date, deadline: Deadline
    ) async throws

    /// Uses a nonce up.
    /// - Returns: false for one that is over, used, or another's.
    func takeRegistration(
        _ nonce: [UInt8], of userID: UUID, tenantID: UUID, now: Date, deadline: Deadline
    ) async throws -> Bool

    /// Stores a passkey, with recovery codes where the user had no factor before, and raises the version.
    ///
    /// - Returns: false when its id is taken, or the user has ``Passkey/maximumCount``.
    func insert(
        _ passkey: Passkey, codes: [StoredRecoveryCode], events: [DomainEvent], deadline: Deadline
    ) async throws -> Bool

    func rename(
        _ id: UUID, of userID: UUID, tenantID: UUID, to name: String, event: DomainEvent, deadline: Deadline
    ) async throws -> Passkey?

    /// Removes it, and the recovery codes with the last factor.
    func remove(_ id: UUID, of userID: UUID, tenantID: UUID, event: DomainEvent, deadline: Deadline) async throws
        -> Bool

    /// Uses the challenge up, and keeps the counter: one statement.
    func accept(
        _ passkey: Passkey, signCount: Int64, challenge: UUID, now: Date, event: DomainEvent, deadline: Deadline
    ) async throws -> PasskeyVerdict
}
