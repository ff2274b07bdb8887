import ConnectionKit
import Contracts
import Foundation
import SessionService
import Testing

@Suite("Every store of sessions", .serialized)
struct SessionRepositoryContract {
    @Test("opens a session once, however often it is asked to", arguments: SessionStore.allCases)
    func opensOnce(store: SessionStore) async throws {
        let repository = try await store.make()
        let session = Example.session(of: Example.user())
        let first = try await repository.insert(
            session, limit: nil, actor: Example.actor, deadline: Example.deadline
        ).session
        let again = try await repository.insert(
            session, limit: nil, actor: Example.actor, deadline: Example.deadline
        ).session
        #expect(first == session)
        #expect(again == session)
        var stranger = Example.session(of: Example.user())
        stranger = Session(
            id: session.id, user: stranger.user, methods: [], authenticatedAt: Example.now, mustChangePassword: false,
            userAgent: nil, ip: nil, origin: .login, lifetime: Example.lifetime, now: Example.now)
        await #expect(throws: SessionError.sessionTaken) {
            _ = try await repository.insert(
                stranger, limit: nil, actor: Example.actor, deadline: Example.deadline)
        }
    }

    @Test("gives 50 concurrent refreshes of one token exactly one successor", arguments: SessionStore.allCases)
    func oneSuccessor(store: SessionStore) async throws {
        let repository = try await store.make()
        let session = try await opened(in: repository)
        let generations = try await withThrowingTaskGroup(of: (Int64, Bool).self) { group in
            for _ in 0..<50 {
                group.addTask {
                    switch try await refresh(session, generation: 0, in: repository) {
                    case .rotated(let next): return (next.generation, true)
                    case .repeated(let next): return (next.generation, false)
                    default: return (-1, false)
                    }
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(Set(generations.map(\.0)) == [1])
        #expect(generations.filter(\.1).count == 1)
    }

    @Test(
        "repeats the successor within the grace period, and ends the family after it", arguments: SessionStore.allCases)
    func reuse(store: SessionStore) async throws {
        let repository = try await store.make()
        let session = try await opened(in: repository)
        guard case .rotated = try await refresh(session, generation: 0, in: repository) else {
            Issue.record("the first refresh must rotate")
            return
        }
        guard case .repeated(let same) = try await refresh(session, generation: 0, after: 9, in: repository) else {
            Issue.record("a retry within 10 s must get the same successor")
            return
        }
        #expect(same.generation == 1)
        guard case .reused(let revocations) = try await refresh(session, generation: 0, after: 11, in: repository)
        else {
            Issue.record("a retry after 10 s is reuse")
            return
        }
        #expect(revocations.map(\.subjectID) == [session.id])
        guard case .revoked = try await refresh(session, generation: 1, after: 12, in: repository) else {
            Issue.record("the family must be revoked")
            return
        }
    }

    @Test(
        "takes a rotation back whose answer was lost, once, and never one that was answered",
        arguments: SessionStore.allCases)
    func takesBack(store: SessionStore) async throws {
        let repository = try await store.make()
        let session = try await opened(in: repository)
        let token = RefreshClaim(sessionID: session.id, generation: 0)
        func takeBack(_ from: TimeInterval, _ to: TimeInterval) async throws -> Bool {
            try await repository.takeBack(
                token, rotated: (Example.now + from)...(Example.now + to), actor: Example.actor,
                deadline: Example.deadline)
        }
        #expect(try await takeBack(-10, 10) == false)
        _ = try await refresh(session, generation: 0, after: 100, in: repository)
        #expect(try await takeBack(90, 99) == false)
        #expect(try await takeBack(90, 101))
        #expect(try await takeBack(90, 101) == false)
        // Long after the grace period the token is good once more, as if it had not been used.
        guard case .rotated(let next) = try await refresh(session, generation: 0, after: 200, in: repository) else {
            Issue.record("the token is the present one again")
            return
        }
        #expect(next.generation == 1)
        _ = try await refresh(session, generation: 1, after: 300, in: repository)
        #expect(try await takeBack(0, 400) == false)
        guard case .reused = try await refresh(session, generation: 0, after: 301, in: repository) else {
            Issue.record("a token whose successor was used is not given back")
            return
        }
        #expect(try await takeBack(0, 400) == false)
    }

    @Test("accepts a token newer than the row, and refuses an expired or unknown one", arguments: SessionStore.allCases)
    func aheadAndExpired(store: SessionStore) async throws {
        let repository = try await store.make()
        let session = try await opened(in: repository)
        guard case .rotated(let next) = try await refresh(session, generation: 4, in: repository) else {
            Issue.record("a token ahead of the database is ours")
            return
        }
        #expect(next.generation == 5)
        guard case .expired = try await refresh(session, generation: 5, after: 31 * 86_400, in: repository) else {
            Issue.record("a session unused for 31 days has expired")
            return
        }
        let unknown = Example.session(of: Example.user())
        guard case .unknown = try await refresh(unknown, generation: 0, in: repository) else {
            Issue.record("an unknown session is unknown")
            return
        }
    }

    @Test("never lets a session live past its absolute end", arguments: SessionStore.allCases)
    func absoluteEnd(store: SessionStore) async throws {
        let repository = try await store.make()
        let session = try await opened(in: repository)
        var generation: Int64 = 0
        for day in stride(from: 25, through: 75, by: 25) {
            guard
                case .rotated(let next) = try await refresh(
                    session, generation: generation, after: Double(day) * 86_400, in: repository)
            else {
                Issue.record("day \(day) must rotate")
                return
            }
            generation = next.generation
            #expect(next.idleExpiresAt <= session.absoluteExpiresAt)
        }
        let tooLate = try await refresh(session, generation: generation, after: 90 * 86_400, in: repository)
        guard case .expired = tooLate else {
            Issue.record("day 90 is the end")
            return
        }
    }
}

func opened(in repository: any SessionRepository, of user: UserSnapshot = Example.user()) async throws -> Session {
    try await repository.insert(
        Example.session(of: user), limit: nil, actor: Example.actor, deadline: Example.deadline
    ).session
}

func refresh(
    _ session: Session, generation: Int64, after seconds: TimeInterval = 0, in repository: any SessionRepository
) async throws -> RefreshResult {
    try await repository.refresh(
        RefreshClaim(sessionID: session.id, generation: generation), lifetime: Example.lifetime,
        now: Example.now + seconds, actor: Example.actor, deadline: Example.deadline)
}
