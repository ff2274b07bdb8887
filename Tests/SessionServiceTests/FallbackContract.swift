import ConnectionKit
import Contracts
import Foundation
import MicroMiddleware
import SessionService
import Testing

/// An exchange that a fallback stood in for, in every store: its owner comes back with what the fallback gave, and nobody has
/// told this service of it.
@Suite("Every store, of a token that a fallback gave back", .serialized)
struct FallbackContract {
    /// The token of `generation`, given back at these moments.
    private func claim(_ session: Session, _ generation: Int64 = 0, givenBackAt moments: TimeInterval...)
        -> RefreshClaim
    {
        let fallbacks = moments.reduce(RefreshFallbacks.none) { $0.noting(Example.now + $1) }
        return RefreshClaim(
            sessionID: session.id, generation: generation, edition: Int64(fallbacks.edition), fallbacks: fallbacks)
    }

    private func exchange(
        _ claim: RefreshClaim, after seconds: TimeInterval, in repository: any SessionRepository
    ) async throws -> RefreshResult {
        try await repository.refresh(
            claim, lifetime: Example.lifetime, now: Example.now + seconds, actor: Example.actor,
            deadline: Example.deadline)
    }

    @Test("its owner gets a successor, however late", arguments: SessionStore.allCases)
    func regained(store: SessionStore) async throws {
        let repository = try await store.make()
        let session = try await opened(in: repository)
        // The answer was lost, identity answered two seconds later.
        _ = try await refresh(session, generation: 0, after: 100, in: repository)
        let again = try await exchange(claim(session, givenBackAt: 102), after: 1_000, in: repository)
        guard case .rotated(let next) = again else {
            Issue.record("what the fallback gave is its owner's: \(again)")
            return
        }
        #expect(next.generation == 1 && next.exchangedEdition == 1 && next.rotatedAt == Example.now + 1_000)
        let on = try await refresh(session, generation: 1, after: 2_000, in: repository)
        guard case .rotated(let after) = on else {
            Issue.record("the successor is good: \(on)")
            return
        }
        #expect(after.generation == 2 && after.exchangedEdition == 0)
    }

    @Test(
        "however often fallbacks answered in a row, and whichever exchange was lost", arguments: SessionStore.allCases)
    func twice(store: SessionStore) async throws {
        let repository = try await store.make()
        let session = try await opened(in: repository)
        _ = try await refresh(session, generation: 0, after: 100, in: repository)
        let second = try await exchange(claim(session, givenBackAt: 101, 160, 400), after: 700, in: repository)
        guard case .rotated = second else {
            Issue.record("the first of three fallbacks stood in for it: \(second)")
            return
        }
        // That answer is lost too, and a fourth fallback answers.
        let third = try await exchange(claim(session, givenBackAt: 101, 160, 400, 702), after: 900, in: repository)
        guard case .rotated(let next) = third else {
            Issue.record("a newer edition is its owner's again: \(third)")
            return
        }
        #expect(next.generation == 1 && next.exchangedEdition == 4)
    }

    @Test("clocks may be seconds apart", arguments: SessionStore.allCases)
    func clocks(store: SessionStore) async throws {
        let repository = try await store.make()
        for behind in [-4.0, 8] {
            let session = try await opened(in: repository)
            _ = try await refresh(session, generation: 0, after: 100, in: repository)
            let result = try await exchange(claim(session, givenBackAt: 101 + behind), after: 300, in: repository)
            guard case .rotated = result else {
                Issue.record("\(behind): \(result)")
                continue
            }
        }
    }

    @Test("50 of them at once get one successor", arguments: SessionStore.allCases)
    func oneSuccessor(store: SessionStore) async throws {
        let repository = try await store.make()
        let session = try await opened(in: repository)
        _ = try await refresh(session, generation: 0, after: 100, in: repository)
        let claim = claim(session, givenBackAt: 101)
        let successors = try await withThrowingTaskGroup(of: (Session?, Bool).self) { group in
            for _ in 0..<50 {
                group.addTask {
                    switch try await exchange(claim, after: 300, in: repository) {
                    case .rotated(let next): (next, true)
                    case .repeated(let next): (next, false)
                    default: (nil, false)
                    }
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(Set(successors.map(\.0)).count == 1 && successors[0].0?.generation == 1)
        #expect(successors.filter(\.1).count == 1)
    }

    @Test("used once more after it was answered it is reuse", arguments: SessionStore.allCases)
    func once(store: SessionStore) async throws {
        let repository = try await store.make()
        let session = try await opened(in: repository)
        _ = try await refresh(session, generation: 0, after: 100, in: repository)
        let claim = claim(session, givenBackAt: 101)
        _ = try await exchange(claim, after: 102, in: repository)
        let again = try await exchange(claim, after: 113, in: repository)
        guard case .reused = again else {
            Issue.record("an edition is exchanged once: \(again)")
            return
        }
    }

    @Test(
        "a thief who takes a used token to a fallback is found out as without it", arguments: SessionStore.allCases,
        [120.0, 3_000])
    func thief(store: SessionStore, fallback: TimeInterval) async throws {
        let repository = try await store.make()
        let session = try await opened(in: repository)
        // Answered; the thief has a copy of the token of before, and an outage comes.
        _ = try await refresh(session, generation: 0, after: 100, in: repository)
        let result = try await exchange(
            claim(session, givenBackAt: fallback), after: fallback + 60, in: repository)
        guard case .reused(let revocations) = result else {
            Issue.record("no exchange was lost then: \(result)")
            return
        }
        #expect(revocations.map(\.subjectID) == [session.id])
    }

    @Test(
        "a thief whose copy went to the fallback before its owner used it is found out",
        arguments: SessionStore.allCases)
    func thiefBefore(store: SessionStore) async throws {
        let repository = try await store.make()
        let session = try await opened(in: repository)
        _ = try await refresh(session, generation: 0, after: 100, in: repository)
        let result = try await exchange(claim(session, givenBackAt: 60, 90), after: 200, in: repository)
        guard case .reused = result else {
            Issue.record("it was exchanged after the outage: \(result)")
            return
        }
    }

    @Test("a thief within seconds of the exchange is found out when both go on", arguments: SessionStore.allCases)
    func thiefAtOnce(store: SessionStore) async throws {
        let repository = try await store.make()
        let session = try await opened(in: repository)
        guard case .rotated(let owners) = try await refresh(session, generation: 0, after: 100, in: repository),
            case .rotated(let thiefs) = try await exchange(
                claim(session, givenBackAt: 103), after: 200, in: repository)
        else {
            Issue.record("as within the grace period, both get a successor")
            return
        }
        #expect(owners.generation == thiefs.generation)
        guard case .rotated = try await refresh(session, generation: 1, after: 300, in: repository) else {
            Issue.record("one of them goes on")
            return
        }
        guard case .reused = try await refresh(session, generation: 1, after: 400, in: repository) else {
            Issue.record("the other ends the family")
            return
        }
    }

    @Test(
        "its owner who did not get that either comes back with the token of before, once identity has told",
        arguments: SessionStore.allCases)
    func told(store: SessionStore) async throws {
        let repository = try await store.make()
        let session = try await opened(in: repository)
        _ = try await refresh(session, generation: 0, after: 100, in: repository)
        // Too early to say: nothing happens.
        var early = claim(session)
        early.isEarly = true
        let undecided = try await exchange(early, after: 300, in: repository)
        guard case .undecided = undecided else {
            Issue.record("identity may be about to tell: \(undecided)")
            return
        }
        let note = UnansweredRefresh(sessionID: session.id, generation: 0, edition: 0, askedAt: Example.now + 102)
        #expect(try await repository.takeBack(note, actor: Example.actor, deadline: Example.deadline))
        #expect(try await !repository.takeBack(note, actor: Example.actor, deadline: Example.deadline))
        guard case .rotated(let next) = try await exchange(claim(session), after: 301, in: repository) else {
            Issue.record("the token is the present one again")
            return
        }
        #expect(next.generation == 1)
        // Told once more, of an exchange that was answered.
        #expect(try await !repository.takeBack(note, actor: Example.actor, deadline: Example.deadline))
        early.isEarly = false
        guard case .reused = try await exchange(early, after: 400, in: repository) else {
            Issue.record("it was answered")
            return
        }
    }

    @Test("two generations behind it is reuse, whatever it says", arguments: SessionStore.allCases)
    func longBehind(store: SessionStore) async throws {
        let repository = try await store.make()
        let session = try await opened(in: repository)
        _ = try await refresh(session, generation: 0, after: 100, in: repository)
        _ = try await refresh(session, generation: 1, after: 101, in: repository)
        let result = try await exchange(claim(session, givenBackAt: 100, 101, 102), after: 200, in: repository)
        guard case .reused = result else {
            Issue.record("its successor has been used: \(result)")
            return
        }
    }

    @Test("what is told of it late changes nothing any more", arguments: SessionStore.allCases)
    func toldLate(store: SessionStore) async throws {
        let repository = try await store.make()
        let session = try await opened(in: repository)
        _ = try await refresh(session, generation: 0, after: 100, in: repository)
        _ = try await exchange(claim(session, givenBackAt: 101), after: 102, in: repository)
        let undone = try await repository.takeBack(
            claim(session), rotated: RefreshFallbacks.surroundings(of: Example.now + 101), actor: Example.actor,
            deadline: Example.deadline)
        #expect(!undone)
        guard case .rotated(let next) = try await refresh(session, generation: 1, after: 300, in: repository) else {
            Issue.record("the successor stands")
            return
        }
        #expect(next.generation == 2)
    }
}
