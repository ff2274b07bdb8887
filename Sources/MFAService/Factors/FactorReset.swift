import Contracts
package import Foundation
package import MicroMiddleware

/// A new start for somebody who has lost every factor, by an administrator of their tenant.
///
/// It takes away what keeps a stranger with a password out, so it is for others than oneself, who has to prove the factor, and
/// for nobody who may do more than the administrator, in this tenant or, as a guest, in others.
package struct FactorReset: Sendable {
    let repository: any MFARepository
    let identity: any IdentityPort
    let news: FactorNews
    let now: @Sendable () -> Date

    package init(
        repository: any MFARepository, identity: any IdentityPort, news: FactorNews,
        now: @escaping @Sendable () -> Date = { Date() }
    ) {
        self.repository = repository
        self.identity = identity
        self.news = news
        self.now = now
    }

    /// Takes every factor of the user away. The event tells the user, and the trail why.
    /// - Throws: ``MFAError/invalid(_:)`` for one's own; 403 `permission_denied` where the user may do more than the caller, or
    ///   holds more in another tenant, unless the caller runs the suite;
    ///   ``MFAError/unknown`` where there is no such user, or no factor; 503 without identity, which says who may do what.
    package func reset(
        _ user: UUID, reason: String?, by caller: AccessTokenClaims, actor: FactorActor, scope: RequestScope
    ) async throws {
        guard user != caller.subject else {
            throw MFAError.invalid("user_id", "is your own: prove the factor, and remove it as yourself")
        }
        let theirs = try await identity.authority(of: user, tenantID: caller.tenantID, scope: scope)
        guard try await isCovered(theirs.authority, by: caller, scope: scope) else {
            throw APIError(.permissionDenied, "This user holds permissions that you do not hold yourself.")
        }
        guard theirs.holdsMoreElsewhere != true || caller.runsSuite else {
            throw APIError(
                .permissionDenied,
                "This user holds roles in another tenant, too: only they, or an operator of the suite, can do this.")
        }
        let moment = now()
        let event = try actor.event(
            .mfaReset, of: user, tenantID: caller.tenantID, at: moment, details: reason.map { ["reason": $0] } ?? [:])
        let done = try await repository.reset(
            user, tenantID: caller.tenantID, now: moment, event: event, deadline: scope.deadline.forStatement)
        guard done else { throw MFAError.unknown }
        // Until identity has heard, it goes on asking for a factor: nobody gets in by that.
        try? await news.tellAll(scope: scope)
    }

    /// What the caller may do in the tenant's applications is not in the token: identity says it, where it matters.
    private func isCovered(
        _ theirs: Authority, by caller: AccessTokenClaims, scope: RequestScope
    ) async throws -> Bool {
        let said = Authority(roles: caller.roles, extra: caller.permissions)
        if said.covers(theirs) { return true }
        guard said.granted.covers(theirs.granted), !theirs.isOwner else { return false }
        let held = try await identity.authority(of: caller.subject, tenantID: caller.tenantID, scope: scope)
        return ApplicationPermissions(Set(held.applications ?? [])).covers(theirs.applications)
    }
}
