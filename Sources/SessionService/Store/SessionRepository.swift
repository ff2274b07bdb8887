package import ConnectionKit
package import Contracts
package import Foundation
package import MicroMiddleware

/// Who asks for a change of sessions, for the event that tells of it.
package struct SessionActor: Sendable {
    package var userID: UUID?
    package var ip: String?
    package var userAgent: String?
    package var requestID: String?

    package init(userID: UUID? = nil, ip: String? = nil, userAgent: String? = nil, requestID: String? = nil) {
        self.userID = userID
        self.ip = ip
        self.userAgent = userAgent
        self.requestID = requestID
    }
}

/// Which sessions of a tenant end together.
package enum SessionSelection: Sendable, Hashable {
    case one(UUID)
    /// One, if it is this user's.
    case oneOf(user: UUID, id: UUID)
    /// All of a user, without one, and if a moment is given only those authenticated until then.
    case all(user: UUID, except: UUID?, authenticatedUntil: Date?)
    /// Those of these ids.
    case these([UUID])
}

/// How many live sessions a user may have when one more begins.
package struct SessionLimit: Sendable, Hashable {
    /// The new one included, from 1.
    package var maximum: Int
    package var atLimit: SessionPolicy.AtLimit
    /// How long verifiers must remember the sessions that end for it.
    package var revokedUntil: Date

    package init(maximum: Int, atLimit: SessionPolicy.AtLimit, revokedUntil: Date) {
        self.maximum = maximum
        self.atLimit = atLimit
        self.revokedUntil = revokedUntil
    }
}

/// A session that has been opened, and what ended for it.
package struct OpenedSession: Sendable {
    package var session: Session
    package var ended: [Revocation]
    /// Whether the user had signed in before, but not with this device, and has been told so.
    package var isOnNewDevice: Bool

    package init(_ session: Session, ended: [Revocation] = [], isOnNewDevice: Bool = false) {
        self.session = session
        self.ended = ended
        self.isOnNewDevice = isOnNewDevice
    }
}

/// An event of identity that something comes of. It may come more than once: what came to be after it was heard of for the first
/// time is no concern of it any more.
package struct SessionCause: Sendable, Hashable {
    /// How long after it was first heard of a session may be opened by who had not heard of it, in seconds. What is adopted
    /// is older than it seems, and not spared.
    package static let patience = 60.0

    package var eventID: UUID
    /// By identity's database.
    package var time: Date
    package var heardAt: Date

    package init(eventID: UUID, time: Date, heardAt: Date) {
        self.eventID = eventID
        self.time = time
        self.heardAt = heardAt
    }
}

/// An end of sessions: which, why, when.
package struct SessionEnding: Sendable {
    package var selection: SessionSelection
    package var tenantID: UUID
    package var reason: RevocationReason
    package var now: Date
    /// How long verifiers must remember it.
    package var revokedUntil: Date
    package var actor: SessionActor
    /// What it comes of, where that may come again.
    package var cause: SessionCause?

    package init(
        _ selection: SessionSelection, tenantID: UUID, reason: RevocationReason, now: Date, revokedUntil: Date,
        actor: SessionActor, cause: SessionCause? = nil
    ) {
        self.cause = cause
        self.selection = selection
        self.tenantID = tenantID
        self.reason = reason
        self.now = now
        self.revokedUntil = revokedUntil
        self.actor = actor
    }

    /// The tenant outside of which the user's tokens stay good: where only a membership has changed, and not the account.
    package var boundTenantID: UUID? {
        switch reason {
        case .membershipRemoved, .rolesReduced: tenantID
        default: nil
        }
    }
}

/// What a refresh came to.
package enum RefreshResult: Sendable {
    case rotated(Session)
    /// The successor that was given before.
    case repeated(Session)
    case reused([Revocation])
    case revoked
    case expired
    case unknown
    /// A used token, it seems; but this service may not have been told yet that it gave no answer. Nothing has happened.
    case undecided
}

/// The store of sessions. Whatever changes something also writes the event that tells of it, or nothing at all.
package protocol SessionRepository: Sendable {
    /// Opens a session. When there is one of that id already it is returned as it is.
    /// - Parameters:
    ///   - limit: applied to the user's other live sessions, one login of the user after the other.
    ///   - isKnownDevice: whether the device is no news although it has not been seen here.
    /// - Throws: ``SessionError/sessionTaken``, ``SessionError/limitReached``
    func insert(
        _ session: Session, limit: SessionLimit?, isKnownDevice: Bool, actor: SessionActor, deadline: Deadline
    ) async throws -> OpenedSession

    /// Applies ``Session/verdict(on:at:grace:)``, alone on the session's row.
    func refresh(
        _ token: RefreshClaim, lifetime: SessionLifetime, now: Date, actor: SessionActor, deadline: Deadline
    ) async throws -> RefreshResult

    /// Makes a token the present one again whose exchange, at a moment within `rotated`, was never answered: its owner
    /// still holds it. Nothing happens where it was not exchanged then, a newer edition of it was, or its successor has been
    /// used since.
    /// - Returns: whether there was such an exchange.
    @discardableResult
    func takeBack(
        _ token: RefreshClaim, rotated: ClosedRange<Date>, actor: SessionActor, deadline: Deadline
    ) async throws -> Bool

    func session(_ id: UUID, tenantID: UUID, deadline: Deadline) async throws -> Session?

    /// Whose session an id is, for somebody who has proved with a refresh token that it is theirs.
    func owner(of id: UUID, deadline: Deadline) async throws -> SessionOwner?

    /// A user's live sessions, the most recently used first, at most ``Session/mostListed``.
    func sessions(of userID: UUID, tenantID: UUID, now: Date, deadline: Deadline) async throws -> [Session]

    /// Ends the selected sessions that are alive, and stores a revocation for each.
    func revoke(_ ending: SessionEnding, deadline: Deadline) async throws -> [Revocation]

    /// As ``revoke(_:deadline:)`` for one session. Where it is not there, `absent` is put in its place and ended with a
    /// revocation of its own, so that its tokens are refused, and whatever opens or adopts it later finds it ended.
    /// - Parameter absent: ``Session/tombstone(_:of:tenantID:at:)`` of the session that `ending` selects.
    func revoke(_ ending: SessionEnding, absent: Session, deadline: Deadline) async throws -> [Revocation]

    /// As ``revoke(_:deadline:)`` for all of a user's sessions, and refuses every token of the user that was issued
    /// before, whatever sessions are known; that once, however often its cause comes.
    func revokeUser(_ userID: UUID, _ ending: SessionEnding, deadline: Deadline) async throws -> [Revocation]

    /// Ends all sessions of a tenant, and refuses every token of it that was issued before. Verifiers and the trail are told
    /// of the tenant, not of each session.
    /// - Returns: the one revocation, nil where its cause has come before, and how many sessions were alive.
    func revokeTenant(_ tenantID: UUID, _ ending: SessionEnding, deadline: Deadline) async throws -> (Revocation?, Int)

    /// Brings the roles in the snapshots of a user's live sessions up to date, each unless it has those of a later change.
    ///
    /// - Parameter refusing: where something was taken. It is asked for the moment when no refresh can give the roles of before
    ///   any more: every token of the user issued before `now` is refused then, and the sessions, which stay, say so
    ///   (``Session/tokensRefusedAt``).
    /// - Returns: the revocation, where tokens are refused: once, however often the change comes.
    func changeRoles(
        of userID: UUID, tenantID: UUID, _ change: RolesChange, refusing: (@Sendable () -> SessionEnding)?,
        deadline: Deadline
    ) async throws -> Revocation?

    /// In which tenants a user has sessions that have not been ended, at most 100.
    func tenants(ofUser userID: UUID, deadline: Deadline) async throws -> [UUID]

    /// Brings the snapshots of a user's live sessions up to date: what is `nil` stays as it is.
    func updateSnapshots(of userID: UUID, tenantID: UUID, change: SnapshotChange, deadline: Deadline) async throws

    /// Revocations in force that became visible after a sequence, and the sequence to ask with next.
    func revocations(after sequence: Int64, limit: Int, now: Date, deadline: Deadline) async throws -> RevocationPage

    /// A tenant's sessions, the youngest first.
    func sessions(
        _ filter: SessionFilter, tenantID: UUID, offset: Int, limit: Int, now: Date, deadline: Deadline
    ) async throws -> (sessions: [Session], total: Int)

    /// A tenant's sessions, counted.
    func statistics(of tenantID: UUID, now: Date, deadline: Deadline) async throws -> SessionStatistics

    /// A tenant's revocations that are in force, those that last longest first.
    func revocations(
        of tenantID: UUID, offset: Int, limit: Int, now: Date, deadline: Deadline
    ) async throws -> (revocations: [Revocation], total: Int)
}

extension SessionRepository {
    /// Opens a session on a device that says nothing of itself.
    package func insert(
        _ session: Session, limit: SessionLimit?, actor: SessionActor, deadline: Deadline
    ) async throws -> OpenedSession {
        try await insert(session, limit: limit, isKnownDevice: false, actor: actor, deadline: deadline)
    }

    /// Takes back what was exchanged around the moment at which identity was asked in this service's stead.
    @discardableResult
    package func takeBack(
        _ refresh: UnansweredRefresh, actor: SessionActor, deadline: Deadline
    ) async throws -> Bool {
        try await takeBack(
            RefreshClaim(
                sessionID: refresh.sessionID, generation: refresh.generation, edition: refresh.edition),
            rotated: RefreshFallbacks.surroundings(of: refresh.askedAt), actor: actor, deadline: deadline)
    }
}

/// An authentic refresh token, as the store looks at it.
package struct RefreshClaim: Sendable, Hashable {
    package var sessionID: UUID
    package var generation: Int64
    /// Each fallback that gives the token back gives out the next; the first is 0.
    package var edition: Int64
    /// When it was given back without this service's database, as it says itself.
    package var fallbacks: RefreshFallbacks
    /// Whether exchanges without an answer may not have been told of yet: then the token before the present one is not judged.
    package var isEarly = false

    package init(sessionID: UUID, generation: Int64, edition: Int64 = 0, fallbacks: RefreshFallbacks = .none) {
        self.sessionID = sessionID
        self.generation = generation
        self.edition = edition
        self.fallbacks = fallbacks
    }

    package init(_ token: RefreshToken) {
        let fallbacks = token.grant?.fallbacks ?? .none
        self.init(
            sessionID: token.sessionID, generation: Int64(token.generation), edition: Int64(fallbacks.edition),
            fallbacks: fallbacks)
    }
}

/// Whose session it is.
package struct SessionOwner: Sendable, Hashable {
    package var tenantID: UUID
    package var userID: UUID

    package init(tenantID: UUID, userID: UUID) {
        self.tenantID = tenantID
        self.userID = userID
    }
}
