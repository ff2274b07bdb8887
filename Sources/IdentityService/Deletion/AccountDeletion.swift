import Contracts
package import Foundation
package import MicroMiddleware

/// Deleting one's account, and taking one's data along: each one call, finished by all services through events.
package struct AccountDeletion: Sendable {
    /// How long an export may be fetched.
    package static let exportLifetime: TimeInterval = 86_400

    let repository: any DeletionRepository
    let accounts: CachedAccounts
    let notices: SessionNotices?

    package init(repository: any DeletionRepository, accounts: CachedAccounts, notices: SessionNotices? = nil) {
        self.accounts = accounts
        self.repository = repository
        self.notices = notices
    }

    /// From here on the user does not exist to anybody; the other services follow when the event reaches them.
    ///
    /// - Throws: ``IdentityError/reauthenticationNeeded``, ``IdentityError/userUnknown``, ``IdentityError/lastOwner``,
    ///   ``IdentityError/homeTenantNeeded``
    package func delete(_ identity: AccessTokenClaims, origin: RequestOrigin) async throws -> Deletion {
        try identity.requireFreshSignIn()
        try await accounts.requireHome(identity, deadline: origin.scope.deadline.forStatement)
        let event = try origin.event(
            .userDeleted, user: identity.subject, tenantID: identity.tenantID, actor: identity.subject,
            session: identity.sessionID)
        let deletion = try await accounts.changing(identity.subject, tenantID: identity.tenantID) {
            try await repository.delete(
                identity.subject, tenantID: identity.tenantID, event: event,
                deadline: origin.scope.deadline.forStatement)
        }
        guard let deletion else { throw IdentityError.userUnknown }
        await notices?.tell(deletion.events, origin: origin)
        return deletion.value
    }

    package func deletion(_ id: UUID, origin: RequestOrigin) async throws -> Deletion? {
        try await repository.deletion(id, deadline: origin.scope.deadline.forStatement)
    }

    /// - Throws: ``IdentityError/reauthenticationNeeded``; ``IdentityError/homeTenantNeeded``;
    ///   ``IdentityError/throttled(retryAfter:)`` past five a day.
    package func requestExport(_ identity: AccessTokenClaims, origin: RequestOrigin) async throws -> DataExport {
        try identity.requireFreshSignIn()
        try await accounts.requireHome(identity, deadline: origin.scope.deadline.forStatement)
        let event = try origin.event(
            .exportRequested, user: identity.subject, tenantID: identity.tenantID, actor: identity.subject,
            session: identity.sessionID)
        let export = try await repository.requestExport(
            of: identity.subject, tenantID: identity.tenantID, expiresAt: Date() + Self.exportLifetime, event: event,
            deadline: origin.scope.deadline.forStatement)
        guard let export else { throw IdentityError.throttled(retryAfter: .seconds(3_600)) }
        return export
    }

    package func export(
        _ id: UUID, of identity: AccessTokenClaims, origin: RequestOrigin
    ) async throws -> DataExport? {
        try await repository.export(
            id, of: identity.subject, tenantID: identity.tenantID, now: Date(),
            deadline: origin.scope.deadline.forStatement)
    }
}
