import ConnectionKit
import Contracts
import Foundation
import Postgres
import SessionService

/// The sessions of a test that needs no database. The same suite runs on it and on PostgreSQL, so that a rule tested
/// with it holds for the real store too.
actor InMemorySessionRepository: SessionRepository, TrustedDeviceRepository {
    private var sessions: [UUID: Session] = [:]
    private var stored: [(revocation: Revocation, tenantID: UUID)] = []
    private var trusted: [TrustedDevice] = []
    private var lostAnswer: PostgresError?
    /// When an event was first heard of, in each tenant.
    private var heard: [[UUID]: Date] = [:]
    private var seen: [UUID: Set<SeenDevice>] = [:]

    /// From now on a refresh takes effect, and then its answer is lost in this way: the connection is gone, unless said.
    func loseAnswers(_ loses: Bool, to failure: PostgresError.Kind = .connectionLost(outcomeUnknown: true)) {
        lostAnswer = loses ? PostgresError(failure) : nil
    }

    func insert(
        _ session: Session, limit: SessionLimit?, isKnownDevice: Bool, actor: SessionActor, deadline: Deadline
    ) throws -> OpenedSession {
        if let present = sessions[session.id] {
            guard present.userID == session.userID, present.tenantID == session.tenantID else {
                throw SessionError.sessionTaken
            }
            return OpenedSession(present)
        }
        let others = sessions(
            of: session.userID, tenantID: session.tenantID, now: session.createdAt, deadline: deadline)
        var ended: [Revocation] = []
        if let limit, others.count >= limit.maximum {
            guard limit.atLimit == .endOldest else { throw SessionError.limitReached }
            let ending = SessionEnding(
                .these(others.dropFirst(limit.maximum - 1).map(\.id)), tenantID: session.tenantID,
                reason: .sessionLimit, now: session.createdAt, revokedUntil: limit.revokedUntil, actor: actor)
            ended = revoke(ending, deadline: deadline)
        }
        sessions[session.id] = session
        let before = seen[session.userID, default: []]
        seen[session.userID, default: []].insert(SeenDevice(session))
        return OpenedSession(
            session, ended: ended,
            isOnNewDevice: !isKnownDevice && !before.isEmpty && !before.contains(SeenDevice(session)))
    }

    func refresh(
        _ token: RefreshClaim, lifetime: SessionLifetime, now: Date, actor: SessionActor, deadline: Deadline
    ) throws -> RefreshResult {
        // As the pool does: without time left nobody is asked.
        guard !deadline.hasPassed else { throw PostgresError(.deadlineExceeded) }
        let result = exchange(token, lifetime: lifetime, now: now, actor: actor, deadline: deadline)
        if let lostAnswer { throw lostAnswer }
        return result
    }

    private func exchange(
        _ token: RefreshClaim, lifetime: SessionLifetime, now: Date, actor: SessionActor, deadline: Deadline
    ) -> RefreshResult {
        guard let session = sessions[token.sessionID] else { return .unknown }
        switch session.verdict(on: token, at: now, grace: lifetime.grace) {
        case .rotate, .ahead, .regained:
            var next = session.rotated(
                from: token.generation, edition: token.edition, at: now, lifetime: lifetime)
            next.lastIP = actor.ip ?? next.lastIP
            sessions[session.id] = next
            return .rotated(next)
        case .repeated: return .repeated(session)
        case .revoked: return .revoked
        case .expired: return .expired
        case .undecided: return .undecided
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
            session.exchangedEdition <= token.edition, rotated.contains(session.rotatedAt)
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
        end(ending, heardBefore: heardBefore(ending.cause, of: ending.tenantID))
    }

    private func heardBefore(_ cause: SessionCause?, of tenantID: UUID) -> Date? {
        guard let cause else { return nil }
        let key = [cause.eventID, tenantID]
        if let date = heard[key] { return date }
        heard[key] = cause.heardAt
        return nil
    }

    private static func isOpened(_ session: Session, by heardBefore: Date?) -> Bool {
        heardBefore.map { session.origin == .adopted || session.createdAt <= $0 + SessionCause.patience } ?? true
    }

    private func end(_ ending: SessionEnding, heardBefore: Date?) -> [Revocation] {
        let chosen = sessions.values.filter {
            $0.tenantID == ending.tenantID && $0.end == nil && Self.matches($0, ending.selection)
                && Self.isOpened($0, by: heardBefore)
        }
        let revocations = chosen.map { session in
            sessions[session.id]?.end = Session.End(at: ending.now, reason: ending.reason)
            return Revocation(
                sequence: Int64(stored.count + 1), kind: .session, subjectID: session.id, issuedBefore: nil,
                expiresAt: ending.revokedUntil)
        }
        stored += revocations.map { ($0, ending.tenantID) }
        return revocations
    }

    func revoke(_ ending: SessionEnding, absent: Session, deadline: Deadline) -> [Revocation] {
        if sessions[absent.id] == nil { sessions[absent.id] = absent }
        return revoke(ending, deadline: deadline)
    }

    func revokeTenant(_ tenantID: UUID, _ ending: SessionEnding, deadline: Deadline) -> (Revocation?, Int) {
        let heardBefore = heardBefore(ending.cause, of: tenantID)
        let alive = sessions.values.filter { session in
            session.tenantID == tenantID && session.isAlive(at: ending.now)
                && Self.isOpened(session, by: heardBefore)
                && (heardBefore == nil || ending.cause.map { session.authenticatedAt <= $0.time } ?? true)
        }
        for session in alive { sessions[session.id]?.end = Session.End(at: ending.now, reason: ending.reason) }
        guard heardBefore == nil else { return (nil, alive.count) }
        let tenant = Revocation(
            sequence: Int64(stored.count + 1), kind: .tenant, subjectID: tenantID, issuedBefore: ending.now,
            expiresAt: ending.revokedUntil)
        stored.append((tenant, tenantID))
        return (tenant, alive.count)
    }

    func revokeUser(_ userID: UUID, _ ending: SessionEnding, deadline: Deadline) -> [Revocation] {
        if let heardBefore = heardBefore(ending.cause, of: ending.tenantID) {
            return end(ending, heardBefore: heardBefore)
        }
        let user = Revocation(
            sequence: Int64(stored.count + 1), kind: .user, subjectID: userID, tenantID: ending.boundTenantID,
            issuedBefore: ending.now, expiresAt: ending.revokedUntil)
        stored.append((user, ending.tenantID))
        return [user] + end(ending, heardBefore: nil)
    }

    func changeRoles(
        of userID: UUID, tenantID: UUID, _ change: RolesChange, refusing: (@Sendable () -> SessionEnding)?,
        deadline: Deadline
    ) -> Revocation? {
        let isNews = refusing != nil && heardBefore(change.cause, of: tenantID) == nil
        let ending = isNews ? refusing?() : nil
        for session in sessions.values where session.userID == userID && session.tenantID == tenantID {
            guard session.end == nil else { continue }
            var next = session
            change.apply(to: &next)
            next.tokensRefusedAt = ending?.now ?? next.tokensRefusedAt
            sessions[session.id] = next
        }
        guard let ending else { return nil }
        let user = Revocation(
            sequence: Int64(stored.count + 1), kind: .user, subjectID: userID, tenantID: ending.boundTenantID,
            issuedBefore: ending.now, expiresAt: ending.revokedUntil)
        stored.append((user, ending.tenantID))
        return user
    }

    func tenants(ofUser userID: UUID, deadline: Deadline) -> [UUID] {
        Array(Set(sessions.values.filter { $0.userID == userID && $0.end == nil }.map(\.tenantID)))
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
        let found = stored.map(\.revocation).filter { $0.sequence > sequence && $0.expiresAt > now }.prefix(limit)
        let hasMore = found.count == limit
        return RevocationPage(
            revocations: Array(found), next: hasMore ? found.last?.sequence ?? sequence : Int64(stored.count),
            hasMore: hasMore)
    }

    // MARK: - Administration

    func sessions(
        _ filter: SessionFilter, tenantID: UUID, offset: Int, limit: Int, now: Date, deadline: Deadline
    ) -> (sessions: [Session], total: Int) {
        let found = sessions.values.filter { $0.tenantID == tenantID && filter.matches($0, at: now) }
            .sorted { ($0.createdAt, $0.id.text) > ($1.createdAt, $1.id.text) }
        return (Array(found.dropFirst(offset).prefix(limit)), found.count)
    }

    func statistics(of tenantID: UUID, now: Date, deadline: Deadline) -> SessionStatistics {
        let ours = sessions.values.filter { $0.tenantID == tenantID && !$0.isTombstone }
        let alive = ours.filter { $0.isAlive(at: now) }
        func counted(_ names: [String]) -> [String: Int] { Dictionary(names.map { ($0, 1) }, uniquingKeysWith: +) }
        return SessionStatistics(
            activeSessions: alive.count, activeUsers: Set(alive.map(\.userID)).count,
            byDevice: counted(alive.map(\.device)), openedToday: ours.count { $0.createdAt > now - 86_400 },
            endedToday: counted(ours.compactMap(\.end).filter { $0.at > now - 86_400 }.map(\.reason.rawValue)))
    }

    func revocations(
        of tenantID: UUID, offset: Int, limit: Int, now: Date, deadline: Deadline
    ) -> (revocations: [Revocation], total: Int) {
        let found = stored.filter { $0.tenantID == tenantID && $0.revocation.expiresAt > now }.map(\.revocation)
            .sorted { $0.expiresAt > $1.expiresAt }
        return (Array(found.dropFirst(offset).prefix(limit)), found.count)
    }

    // MARK: - Trusted devices

    func add(_ device: TrustedDevice, event: DomainEvent, deadline: Deadline) {
        trusted.insert(device, at: 0)
        let users = trusted.filter { $0.userID == device.userID && $0.tenantID == device.tenantID }
        let surplus = Set(users.dropFirst(TrustedDevice.maximumPerUser).map(\.id))
        trusted.removeAll { surplus.contains($0.id) }
    }

    func devices(of userID: UUID, tenantID: UUID, now: Date, deadline: Deadline) -> [TrustedDevice] {
        trusted.filter { $0.userID == userID && $0.tenantID == tenantID && $0.expiresAt > now }
    }

    func use(_ tokenHash: [UInt8], of userID: UUID, tenantID: UUID, now: Date, deadline: Deadline) -> Bool {
        let found = trusted.firstIndex {
            $0.tokenHash == tokenHash && $0.userID == userID && $0.tenantID == tenantID && $0.expiresAt > now
        }
        guard let found else { return false }
        trusted[found].lastUsedAt = now
        return true
    }

    func forget(
        _ id: UUID?, of userID: UUID, tenantID: UUID, because cause: SessionCause?, event: DomainEvent,
        deadline: Deadline
    ) -> Int {
        let before = trusted.count
        let heardAt = cause.flatMap { heard[[$0.eventID, tenantID]] }
        trusted.removeAll { device in
            device.userID == userID && device.tenantID == tenantID && (device.id == id || id == nil)
                && heardAt.map { device.createdAt <= $0 + SessionCause.patience } ?? true
        }
        return before - trusted.count
    }

    private static func matches(_ session: Session, _ selection: SessionSelection) -> Bool {
        switch selection {
        case .one(let id): session.id == id
        case .these(let ids): ids.contains(session.id)
        case .oneOf(let user, let id): session.id == id && session.userID == user
        case .all(let user, let except, let until):
            session.userID == user && session.id != except
                && (until.map { session.authenticatedAt <= $0 } ?? true)
        }
    }
}
