package import ConnectionKit
package import Contracts
package import Foundation
package import MicroMiddleware

/// Accounts as their users see them, through the cache: no password hash, and nothing that decides what a user may do; tokens
/// do that.
///
/// Whoever changes what a ``UserSnapshot`` shows (names, identifiers, status, roles) does it inside of
/// ``changing(_:tenantID:_:)``.
package struct CachedAccounts: Sendable {
    private let repository: any IdentityRepository
    /// `nil` for none: then every read goes to the store.
    private let cache: CacheAside<UserSnapshot>?

    package init(_ repository: any IdentityRepository, cache: CacheAside<UserSnapshot>?) {
        self.repository = repository
        self.cache = cache
        cache?.preloading { tenantID, id in
            try await repository.account(id, tenantID: tenantID, deadline: .after(.seconds(1)))?.user.snapshot
        }
    }

    /// The user's own account; `nil` when there is none.
    package func snapshot(of userID: UUID, tenantID: UUID, deadline: Deadline) async throws -> UserSnapshot? {
        guard let cache else { return try await load(userID, tenantID, deadline) }
        return try await cache.value(of: userID, in: tenantID, for: userID, deadline: deadline) {
            try await load(userID, tenantID, deadline)
        }
    }

    /// Lets on who works in the tenant that the account belongs to: a guest's password, address and life are not the host's.
    ///
    /// - Throws: ``IdentityError/homeTenantNeeded``, ``IdentityError/userUnknown``
    package func requireHome(_ identity: AccessTokenClaims, deadline: Deadline) async throws {
        let account = try await repository.account(identity.subject, tenantID: identity.tenantID, deadline: deadline)
        guard let account else { throw IdentityError.userUnknown }
        guard !account.user.isGuest else { throw IdentityError.homeTenantNeeded }
    }

    /// Changes an account; nobody reads the one of before afterwards.
    package func changing<Result>(
        _ userID: UUID, tenantID: UUID, _ change: () async throws -> Result
    ) async throws -> Result {
        guard let cache else { return try await change() }
        return try await cache.changing(userID, in: tenantID, change)
    }

    private func load(_ userID: UUID, _ tenantID: UUID, _ deadline: Deadline) async throws -> UserSnapshot? {
        try await repository.account(userID, tenantID: tenantID, deadline: deadline)?.user.snapshot
    }
}
