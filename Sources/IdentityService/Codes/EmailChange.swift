package import ConnectionKit
package import Contracts
package import Foundation
package import MicroMiddleware

/// The store of e-mail addresses that users want to change to.
package protocol EmailChangeRepository: Sendable {
    /// Keeps the new address and writes the event, whose id names the change from then on.
    func requestEmailChange(
        _ email: Identifier, of userID: UUID, tenantID: UUID, event: DomainEvent, deadline: Deadline) async throws

    /// As ``CodeRepository/issue(_:deadline:)``, to the new address. `nil` when the address is somebody's.
    func issueEmailChange(_ code: NewCode, deadline: Deadline) async throws -> StoredCode?

    /// Counts an attempt against the user's open changes, and writes the event.
    func attemptEmailChange(
        of userID: UUID, tenantID: UUID, event: DomainEvent, deadline: Deadline
    ) async throws -> [StoredCode]

    /// Uses the code up and gives the user the new address, verified.
    /// - Returns: whether it was done; the code may have been used meanwhile.
    /// - Throws: ``IdentityError/alreadyRegistered(_:)``
    func changeEmail(with code: StoredCode, event: DomainEvent, deadline: Deadline) async throws -> Bool

    /// The address that a change replaced.
    func replacedEmail(_ changeID: UUID, deadline: Deadline) async throws -> String?
}

/// Changing one's e-mail address: needs a fresh sign-in, and a code that comes to the new address. The old one is told.
package struct EmailChange: Sendable {
    let changes: any EmailChangeRepository
    let oneTime: OneTimeCodes
    let accounts: CachedAccounts

    package init(changes: any EmailChangeRepository, oneTime: OneTimeCodes, accounts: CachedAccounts) {
        self.accounts = accounts
        self.changes = changes
        self.oneTime = oneTime
    }

    /// - Throws: ``IdentityError/reauthenticationNeeded``, ``IdentityError/invalid(_:)``, ``IdentityError/homeTenantNeeded``
    package func request(_ email: String, by identity: AccessTokenClaims, origin: RequestOrigin) async throws {
        try identity.requireFreshSignIn()
        let address = try Identifier.email(email)
        try await accounts.requireHome(identity, deadline: origin.scope.deadline.forStatement)
        let event = try origin.event(
            .emailChangeRequested, user: identity.subject, tenantID: identity.tenantID, actor: identity.subject,
            session: identity.sessionID)
        try await changes.requestEmailChange(
            address, of: identity.subject, tenantID: identity.tenantID, event: event,
            deadline: origin.scope.deadline.forStatement)
    }

    /// - Throws: ``IdentityError/codeInvalid``; ``IdentityError/alreadyRegistered(_:)`` to who has proved that the address
    ///   is theirs; ``IdentityError/homeTenantNeeded``
    package func confirm(_ code: String, by identity: AccessTokenClaims, origin: RequestOrigin) async throws {
        let deadline = origin.scope.deadline
        try await accounts.requireHome(identity, deadline: deadline.forStatement)
        let tried = try origin.event(
            .codeTried, user: identity.subject, tenantID: identity.tenantID, actor: identity.subject,
            session: identity.sessionID, details: ["purpose": CodePurpose.emailChange.rawValue])
        let live = try await changes.attemptEmailChange(
            of: identity.subject, tenantID: identity.tenantID, event: tried, deadline: deadline.forStatement)
        let match = live.first { oneTime.matches(code, id: $0.id, salt: $0.salt, purpose: .emailChange) }
        guard let match else { throw IdentityError.codeInvalid }
        let event = try origin.event(
            .emailChanged, user: identity.subject, tenantID: identity.tenantID, actor: identity.subject,
            session: identity.sessionID, details: ["change": match.id.text])
        let isChanged = try await accounts.changing(identity.subject, tenantID: identity.tenantID) {
            try await changes.changeEmail(with: match, event: event, deadline: deadline.forStatement)
        }
        guard isChanged else { throw IdentityError.codeInvalid }
    }
}

extension AccessTokenClaims {
    /// How old a sign-in may be for what could lose somebody the account.
    package static let freshness: TimeInterval = 300

    /// - Throws: ``IdentityError/reauthenticationNeeded`` when the user proved who they are too long ago.
    package func requireFreshSignIn(now: Date = Date()) throws(IdentityError) {
        guard now.timeIntervalSince(authenticatedAt) <= Self.freshness else { throw .reauthenticationNeeded }
    }
}
