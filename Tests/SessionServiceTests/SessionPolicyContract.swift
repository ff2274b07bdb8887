import Contracts
import Foundation
import SessionService
import Testing

@Suite("What a tenant asks of sessions, in every store", .serialized)
struct SessionPolicyContract {
    private static func limit(_ maximum: Int, _ atLimit: SessionPolicy.AtLimit) -> SessionLimit {
        SessionLimit(maximum: maximum, atLimit: atLimit, revokedUntil: Example.now + 1_860)
    }

    @Test("One session too many ends the one that was refreshed longest ago", arguments: SessionStore.allCases)
    func endsOldest(store: SessionStore) async throws {
        let repository = try await store.make()
        let ann = Example.user()
        var sessions: [Session] = []
        for index in 0..<3 {
            let session = Example.session(of: ann, now: Example.now + Double(index))
            sessions.append(session)
            let opened = try await repository.insert(
                session, limit: Self.limit(3, .endOldest), actor: Example.actor, deadline: Example.deadline)
            #expect(opened.ended.isEmpty)
        }
        // The first is used again: now the second is the one that was used longest ago.
        let claim = RefreshClaim(sessionID: sessions[0].id, generation: 0)
        _ = try await repository.refresh(
            claim, lifetime: Example.lifetime, now: Example.now + 10, actor: Example.actor, deadline: Example.deadline)
        let fourth = Example.session(of: ann, now: Example.now + 20)
        let opened = try await repository.insert(
            fourth, limit: Self.limit(3, .endOldest), actor: Example.actor, deadline: Example.deadline)
        #expect(opened.ended.map(\.subjectID) == [sessions[1].id])
        let alive = try await repository.sessions(
            of: ann.id, tenantID: ann.tenantID, now: Example.now + 20, deadline: Example.deadline)
        #expect(Set(alive.map(\.id)) == [sessions[0].id, sessions[2].id, fourth.id])
        let ended = try await repository.session(sessions[1].id, tenantID: ann.tenantID, deadline: Example.deadline)
        #expect(ended?.end?.reason == .sessionLimit)
    }

    @Test("Where the tenant would rather refuse, nothing is opened and nothing ends", arguments: SessionStore.allCases)
    func refuses(store: SessionStore) async throws {
        let repository = try await store.make()
        let ann = Example.user()
        let limit = Self.limit(1, .refuse)
        let first = try await repository.insert(
            Example.session(of: ann), limit: limit, actor: Example.actor, deadline: Example.deadline
        ).session
        await #expect(throws: SessionError.limitReached) {
            _ = try await repository.insert(
                Example.session(of: ann), limit: limit, actor: Example.actor, deadline: Example.deadline)
        }
        let alive = try await repository.sessions(
            of: ann.id, tenantID: ann.tenantID, now: Example.now, deadline: Example.deadline)
        #expect(alive.map(\.id) == [first.id])
        // Somebody else is not counted in.
        let bob = try await repository.insert(
            Example.session(of: Example.user()), limit: limit, actor: Example.actor, deadline: Example.deadline)
        #expect(bob.ended.isEmpty)
    }

    @Test("Of twenty logins at once with a limit of three, three sessions are alive in the end")
    func atOnce() async throws {
        let repository = try await SessionStore.postgres.make()
        let ann = Example.user()
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            for index in 0..<20 {
                tasks.addTask {
                    _ = try await repository.insert(
                        Example.session(of: ann, now: Example.now + Double(index) / 1_000),
                        limit: Self.limit(3, .endOldest), actor: Example.actor, deadline: Example.deadline)
                }
            }
            try await tasks.waitForAll()
        }
        let alive = try await repository.sessions(
            of: ann.id, tenantID: ann.tenantID, now: Example.now + 1, deadline: Example.deadline)
        #expect(alive.count == 3)
    }

    @Test("A session keeps its tenant's idle time through every refresh", arguments: SessionStore.allCases)
    func idleTimeout(store: SessionStore) async throws {
        let repository = try await store.make()
        let policy = SessionPolicy(idleTimeoutSeconds: 600, absoluteTimeoutSeconds: 1_000)
        let session = Session(
            id: .v7(), user: Example.user(), methods: ["pwd"], authenticatedAt: Example.now, mustChangePassword: false,
            userAgent: nil, ip: nil, origin: .login, lifetime: Example.lifetime, policy: policy, now: Example.now)
        #expect(session.idleExpiresAt == Example.now + 600 && session.absoluteExpiresAt == Example.now + 1_000)
        _ = try await repository.insert(session, limit: nil, actor: Example.actor, deadline: Example.deadline)
        var claim = RefreshClaim(sessionID: session.id, generation: 0)
        let first = try await repository.refresh(
            claim, lifetime: Example.lifetime, now: Example.now + 300, actor: Example.actor, deadline: Example.deadline)
        guard case .rotated(let rotated) = first else {
            Issue.record("not rotated: \(first)")
            return
        }
        #expect(rotated.idleExpiresAt == Example.now + 900 && rotated.lastIP == Example.actor.ip)
        claim.generation = 1
        let second = try await repository.refresh(
            claim, lifetime: Example.lifetime, now: Example.now + 899, actor: Example.actor, deadline: Example.deadline)
        guard case .rotated(let last) = second else {
            Issue.record("not rotated: \(second)")
            return
        }
        #expect(last.idleExpiresAt == Example.now + 1_000)
        claim.generation = 2
        let third = try await repository.refresh(
            claim, lifetime: Example.lifetime, now: Example.now + 1_000, actor: Example.actor,
            deadline: Example.deadline)
        guard case .expired = third else {
            Issue.record("not expired: \(third)")
            return
        }
    }

    @Test("A policy out of bounds is brought within them")
    func bounds() {
        let short = Example.lifetime.adapted(to: SessionPolicy(idleTimeoutSeconds: 0, absoluteTimeoutSeconds: -5))
        #expect(short.idle == .seconds(60) && short.absolute == .seconds(60))
        #expect(Example.lifetime.adapted(to: nil) == Example.lifetime)
    }
}
