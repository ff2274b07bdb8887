package import Contracts
package import Foundation
import Synchronization

/// What has been revoked, in memory: asked for every token, fed by `RevocationFeed`.
///
/// An entry stays until the last token that it could concern has expired, so the set is as large as the revocations of
/// one token lifetime. It is never evicted to save memory: that would make a revoked token valid again.
package final class RevocationSet: Sendable {
    private struct State {
        var sessions: [UUID: Date] = [:]
        var users: [UUID: Cut] = [:]
        /// Of users in one tenant each.
        var members: [Member: Cut] = [:]
        var tenants: [UUID: Cut] = [:]
        var highestSequence: Int64 = 0
    }

    private struct Member: Hashable {
        var user: UUID
        var tenant: UUID
    }

    private struct Cut {
        var issuedBefore: Date
        var until: Date
    }

    private let state = Mutex(State())

    package init() {}

    /// Refuses the tokens of a session until `until`, when the last of them has expired.
    package func revoke(sessionID: UUID, until: Date) {
        state.withLock { $0.sessions[sessionID] = max($0.sessions[sessionID] ?? .distantPast, until) }
    }

    /// Refuses the tokens of a user that were issued before a moment: in one tenant, or in all.
    package func revoke(userID: UUID, in tenantID: UUID? = nil, issuedBefore: Date, until: Date) {
        state.withLock { state in
            guard let tenantID else {
                return Self.raise(&state.users[userID], issuedBefore: issuedBefore, until: until)
            }
            let member = Member(user: userID, tenant: tenantID)
            Self.raise(&state.members[member], issuedBefore: issuedBefore, until: until)
        }
    }

    /// Refuses the tokens of a tenant that were issued before a moment.
    package func revoke(tenantID: UUID, issuedBefore: Date, until: Date) {
        state.withLock { Self.raise(&$0.tenants[tenantID], issuedBefore: issuedBefore, until: until) }
    }

    /// Takes in a revocation as the session service publishes it; the same one twice changes nothing. A user's or a
    /// tenant's without a moment concerns every token issued until now.
    package func apply(_ revocation: Revocation, now: Date = Date()) {
        switch revocation.kind {
        case .session:
            revoke(sessionID: revocation.subjectID, until: revocation.expiresAt)
        case .user:
            revoke(
                userID: revocation.subjectID, in: revocation.tenantID, issuedBefore: revocation.issuedBefore ?? now,
                until: revocation.expiresAt)
        case .tenant:
            revoke(
                tenantID: revocation.subjectID, issuedBefore: revocation.issuedBefore ?? now,
                until: revocation.expiresAt)
        }
        state.withLock { $0.highestSequence = max($0.highestSequence, revocation.sequence) }
    }

    /// Whether a token with these claims has been revoked.
    package func contains(_ claims: AccessTokenClaims) -> Bool {
        contains(session: claims.sessionID, of: claims.subject, in: claims.tenantID) { claims.preciseIssueTime }
    }

    /// Whether a session, or what was issued to its user, there or anywhere, or to its tenant until a moment, has been revoked.
    ///
    /// - Parameter countingMembership: whether what was issued to the user in that tenant alone counts, which may have been
    ///   refused for its roles: the session may live on.
    package func contains(
        session: UUID, of user: UUID, in tenant: UUID, countingMembership: Bool = true, issuedAt: () -> Date
    ) -> Bool {
        state.withLock { state in
            if !state.sessions.isEmpty, state.sessions[session] != nil { return true }
            if state.users.isEmpty, state.members.isEmpty, state.tenants.isEmpty { return false }
            let issued = issuedAt()
            if let cut = state.users[user], issued < cut.issuedBefore { return true }
            if countingMembership, !state.members.isEmpty, let cut = state.members[Member(user: user, tenant: tenant)],
                issued < cut.issuedBefore
            {
                return true
            }
            if let cut = state.tenants[tenant], issued < cut.issuedBefore { return true }
            return false
        }
    }

    /// Forgets what no token that is still valid can concern.
    package func prune(now: Date = Date()) {
        state.withLock { state in
            state.sessions = state.sessions.filter { $0.value > now }
            state.users = state.users.filter { $0.value.until > now }
            state.members = state.members.filter { $0.value.until > now }
            state.tenants = state.tenants.filter { $0.value.until > now }
        }
    }

    /// How many revocations are in force.
    package var count: Int {
        state.withLock { $0.sessions.count + $0.users.count + $0.members.count + $0.tenants.count }
    }

    /// The highest sequence that was applied: where a pull goes on.
    package var highestSequence: Int64 {
        state.withLock { $0.highestSequence }
    }

    /// What is in force, in no order and without sequences: for seeding another set and for tests.
    package var snapshot: [Revocation] {
        state.withLock { state in
            state.sessions.map {
                Revocation(sequence: 0, kind: .session, subjectID: $0.key, issuedBefore: nil, expiresAt: $0.value)
            }
                + state.users.map {
                    Revocation(
                        sequence: 0, kind: .user, subjectID: $0.key, issuedBefore: $0.value.issuedBefore,
                        expiresAt: $0.value.until)
                }
                + state.members.map {
                    Revocation(
                        sequence: 0, kind: .user, subjectID: $0.key.user, tenantID: $0.key.tenant,
                        issuedBefore: $0.value.issuedBefore, expiresAt: $0.value.until)
                }
                + state.tenants.map {
                    Revocation(
                        sequence: 0, kind: .tenant, subjectID: $0.key, issuedBefore: $0.value.issuedBefore,
                        expiresAt: $0.value.until)
                }
        }
    }

    private static func raise(_ cut: inout Cut?, issuedBefore: Date, until: Date) {
        cut = Cut(
            issuedBefore: max(cut?.issuedBefore ?? .distantPast, issuedBefore),
            until: max(cut?.until ?? .distantPast, until))
    }
}
