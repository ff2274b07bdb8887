package import ConnectionKit
package import Contracts
package import Foundation

/// A code as it is stored: without the code.
package struct StoredCode: Sendable, Hashable {
    package let id: UUID
    package let userID: UUID
    package let tenantID: UUID
    /// The address that it was sent to.
    package let target: String
    package let salt: [UInt8]

    package init(id: UUID, userID: UUID, tenantID: UUID, target: String, salt: [UInt8]) {
        self.id = id
        self.userID = userID
        self.tenantID = tenantID
        self.target = target
        self.salt = salt
    }
}

/// A code to be made, for the event that asked for it.
package struct NewCode: Sendable {
    package let id: UUID
    package let userID: UUID
    package let tenantID: UUID
    package let purpose: CodePurpose
    package let salt: [UInt8]
    package let expiresAt: Date
    /// The network of whoever asked for it, where that is counted by: ``CountedAddresses``.
    package let askedFrom: String?

    package init(
        id: UUID, userID: UUID, tenantID: UUID, purpose: CodePurpose, salt: [UInt8], expiresAt: Date,
        askedFrom: String? = nil
    ) {
        self.id = id
        self.userID = userID
        self.tenantID = tenantID
        self.purpose = purpose
        self.salt = salt
        self.expiresAt = expiresAt
        self.askedFrom = askedFrom
    }
}

/// The store of codes that are sent by mail. It does the same work for identities that exist and for those that do not.
package protocol CodeRepository: Sendable {
    /// Writes the event about the active user of that identity, or about nobody (the nil UUID): one row either way.
    func recordRequest(
        _ event: DomainEvent, about identifier: Identifier, tenantID: UUID, deadline: Deadline) async throws

    /// Makes the code of an event, or finds the one that it made before.
    /// - Returns: `nil` when there is nothing to send: no active user, no address, one that is verified already, or too
    ///   many codes in the last hour, in all or by whoever asks. Those made before stay good.
    func issue(_ code: NewCode, deadline: Deadline) async throws -> StoredCode?

    /// Counts an attempt against every code of the purpose that the identity's active user has, and writes the event
    /// about that user or about nobody.
    /// - Returns: those that are neither used, expired nor guessed at too often, and went to the user's present address.
    func attempt(
        _ purpose: CodePurpose, identifier: Identifier, tenantID: UUID, event: DomainEvent, deadline: Deadline
    ) async throws -> [StoredCode]

    /// Uses the code up, sets the password and takes the address as verified.
    /// - Returns: when, by the store's clock; `nil` when the code has been used or has expired meanwhile, or the address is no
    ///   longer the user's.
    func resetPassword(
        with code: StoredCode, newHash: String, event: DomainEvent, deadline: Deadline
    ) async throws -> Date?

    /// Uses the code up and takes the address as verified.
    /// - Returns: the user; `nil` when the code has been used meanwhile or the address is no longer the user's.
    func verifyEmail(with code: StoredCode, event: DomainEvent, deadline: Deadline) async throws -> UUID?

    /// Whether the mail of an event has been sent, or so many of its kind to that user within an hour that it should not be.
    func isSent(
        _ eventID: UUID, to userID: UUID, kind: MailKind, hourlyLimit: Int, deadline: Deadline
    ) async throws -> Bool

    func markSent(_ eventID: UUID, to userID: UUID, kind: MailKind, deadline: Deadline) async throws

    /// The hashes of the user's last passwords, the present one excepted.
    func passwordHistory(of userID: UUID, tenantID: UUID, limit: Int, deadline: Deadline) async throws -> [String]
}
