import ConnectionKit
import Contracts
import Foundation
import SessionService

/// The sessions of a test that needs no database. The same suite runs on it and on PostgreSQL, so that a rule tested
/// with it holds for the real store too.
actor InMemorySessionRepository: SessionRepository {
    private var sessions: [UUID: Session] = [:]
    private var stored: [Revocation] = []

    func insert(_ session: Session, actor: SessionActor, deadline: Deadline) throws -> Session {
        if let present = sessions[session.id] {
            guard present.userID == session.userID, present.tenantID == session.tenantID else {
                throw SessionError.sessionTaken
            }
            return present
        }
        sessions[session.id] = session
        return session
    }

    func refresh(
        _ token: RefreshClaim, lifetime: SessionLifetime, now: Date, actor: SessionActor, deadline: Deadline
    ) -> RefreshResult {
        guard let session = sessions[token.sessionID] else { return .unknown }
        switch session.verdict(on: token.generation, at: now, grace: lifetime.grace) {
        case .rotate, .ahead:
            let next = session.rotated(from: token.generation, at: now, lifetime: lifetime)
            sessions[session.id] = next
            return .rotated(next)
        case .repeated: return .repeated(session)
        case .revoked: return .revoked
        case .expired: return .expired
        case .reused:
            let ending = SessionEnding(
                .one(session.id), tenantID: session.tenantID, reason: .refreshTokenReused, now: now,
                revokedUntil: lifetime.revokedUntil(from: now), actor: actor)
            return .reused(revoke(ending, deadline: deadline))
        }
    }

    func takeBack(
        _ token: RefreshClaim, rotated: ClosedRange<Date>, actor: SessionActor, deadline: Deadline
    ) -> Bool {
        guard let session = sessions[token.sessionID], session.generation == token.generation + 1, session.end == nil,
            rotated.contains(session.rotatedAt)
        else { return false }
        sessions[session.id]?.generation = token.generation
        return true
    }

    func session(_ id: UUID, tenantID: UUID, deadline: Deadline) -> Session? {
        sessions[id].flatMap { $0.tenantID == tenantID ? $0 : nil }
    }

    func owner(of id: UUID, deadline: Deadline) -> SessionOwner? {
        sessions[id].map { SessionOwner(tenantID: $0.tenantID, userID: $0.userID) }
    }

    func sessions(of userID: UUID, tenantID: UUID, now: Date, deadline: Deadline) -> [Session] {
        sessions.values.filter { $0.userID == userID && $0.tenantID == tenantID && $0.isAlive(at: now) }
            .sorted { $0.rotatedAt > $1.rotatedAt }
    }

    func revoke(_ ending: SessionEnding, deadline: Deadline) -> [Revocation] {
        let chosen = sessions.values.filter {
            $0.tenantID == ending.tenantID && $0.end == nil && Self.matches($0, ending.selection)
        }
        let revocations = chosen.map { session in
            sessions[session.id]?.end = Session.End(at: ending.now, reason: ending.reason)
            return Revocation(
                sequence: Int64(stored.count + 1), kind: .session, subjectID: session.id, issuedBefore: nil,
                expiresAt: ending.revokedUntil)
        }
        stored += revocations
        return revocations
    }

    func revokeUser(_ userID: UUID, _ ending: SessionEnding, deadline: Deadline) -> [Revocation] {
        let user = Revocation(
            sequence: Int64(stored.count + 1), kind: .user, subjectID: userID, issuedBefore: ending.now,
            expiresAt: ending.revokedUntil)
        stored.append(user)
        return [user] + revoke(ending, deadline: deadline)
    }

    func updateSnapshots(of userID: UUID, tenantID: UUID, change: SnapshotChange, deadline: Deadline) {
        for session in sessions.values where session.userID == userID && session.tenantID == tenantID {
            guard session.end == nil else { continue }
            var next = session
            change.apply(to: &next)
            sessions[session.id] = next
        }
    }

    func revocations(after sequence: Int64, limit: Int, now: Date, deadline: Deadline) -> RevocationPage {
        let found = stored.filter { $0.sequence > sequence && $0.expiresAt > now }.prefix(limit)
        let hasMore = found.count == limit
        return RevocationPage(
            revocations: Array(found), next: hasMore ? found.last?.sequence ?? sequence : Int64(stored.count),
            hasMore: hasMore)
    }

    func purge(now: Date, limit: Int, deadline: Deadline) -> Int { 0 }

    private static func matches(_ session: Session, _ selection: SessionSelection) -> Bool {
        switch selection {
        case .one(let id): session.id == id
        case .oneOf(let user, let id): session.id == id && session.userID == user
        case .all(let user, let except, let until):
            session.userID == user && session.id != except
                && (until.map { session.authenticatedAt <= $0 } ?? true)
        }
    }
}
