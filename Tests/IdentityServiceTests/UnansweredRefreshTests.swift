import ConnectionKit
import Contracts
import Foundation
import IdentityService
import Logging
import MicroMiddleware
import Synchronization
import Testing

@Suite("Refreshes that session gave no answer to", .serialized)
struct UnansweredRefreshTests {
    /// Session, away or not, and what it was told.
    private final class Listener: RefreshSettling {
        private let state = Mutex((isAway: false, told: [UnansweredRefresh](), most: Int.max))
        var told: [UnansweredRefresh] { state.withLock { $0.told } }
        func goAway(_ isAway: Bool) { state.withLock { $0.isAway = isAway } }

        func takeAtMost(_ count: Int) { state.withLock { $0.most = count } }

        func settle(_ notice: UnansweredRefreshNotice, scope: RequestScope) throws {
            try state.withLock { state in
                if notice.refreshes.count > state.most { throw ServiceCallError.deadlineExceeded(target: "session") }
                if state.isAway { throw ServiceCallError.unavailable(target: "session", mayHaveActed: false) }
                state.told += notice.refreshes
            }
        }
    }

    /// A database that is away.
    private struct NoStore: UnansweredRefreshStore {
        func note(
            _ refresh: UnansweredRefresh, until expiry: Date, event: DomainEvent?, deadline: Deadline
        ) throws -> [Date] {
            throw IdentityError.onlySessionKnows
        }
        func unansweredBacklog(deadline: Deadline) throws -> UnansweredBacklog {
            throw IdentityError.onlySessionKnows
        }
        func unansweredRefreshes(limit: Int, deadline: Deadline) throws -> [NotedRefresh] {
            throw IdentityError.onlySessionKnows
        }
        func settle(_ ids: [Int64], deadline: Deadline) throws { throw IdentityError.onlySessionKnows }
    }

    private let listener = Listener()
    private let metrics = MetricsRegistry()
    private let start = Date(timeIntervalSince1970: 1_800_000_000)
    private var end: Date { start + 86_400 }

    private func queue(_ store: any UnansweredRefreshStore, at seconds: TimeInterval) -> UnansweredRefreshes {
        let now = start + seconds
        return UnansweredRefreshes(
            store: store, sessions: listener, metrics: metrics,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            now: { now })
    }

    private func store(_ kind: IdentityStore) async throws -> any UnansweredRefreshStore {
        switch kind {
        case .memory: InMemoryIdentityRepository()
        case .postgres: try PostgresIdentityRepository(database: await IdentityStore.makePostgres().0)
        }
    }

    private func refresh(_ seconds: TimeInterval, of session: UUID = UUID()) -> UnansweredRefresh {
        UnansweredRefresh(sessionID: session, generation: 7, edition: 2, askedAt: start + seconds)
    }

    @Test(
        "are kept until session has been told, and told until it cannot act on them any more",
        arguments: IdentityStore.allCases)
    func kept(kind: IdentityStore) async throws {
        let store = try await store(kind)
        let (one, other) = (refresh(0), refresh(2))
        let scope = makeOrigin().scope
        listener.goAway(true)
        #expect(await queue(store, at: 0).note(one, until: end, event: nil, scope: scope) == [])
        #expect(await queue(store, at: 2).note(other, until: end, event: nil, scope: scope) == [])
        #expect(await !queue(store, at: 60).settle())
        listener.goAway(false)
        #expect(listener.told.isEmpty)
        // Session may still be at work on the second.
        #expect(await !queue(store, at: 4).settle())
        #expect(listener.told == [one, other])
        #expect(await !queue(store, at: 6).settle())
        #expect(listener.told == [one, other, other])
        #expect(await queue(store, at: 7).settle())
        #expect(listener.told.count == 3)
    }

    @Test("of one token are known to the next answer", arguments: IdentityStore.allCases)
    func earlier(kind: IdentityStore) async throws {
        let store = try await store(kind)
        let (session, scope) = (UUID(), makeOrigin().scope)
        _ = await queue(store, at: 0).note(refresh(-5), until: end, event: nil, scope: scope)
        #expect(await queue(store, at: 0).note(refresh(0, of: session), until: end, event: nil, scope: scope) == [])
        #expect(
            await queue(store, at: 0).note(refresh(20, of: session), until: end, event: nil, scope: scope) == [start])
        #expect(
            await queue(store, at: 0).note(refresh(40, of: session), until: end, event: nil, scope: scope) == [
                start, start + 20,
            ])
    }

    @Test("are told in smaller parts where session cannot take as many in time")
    func parts() async {
        let (store, scope) = (InMemoryIdentityRepository(), makeOrigin().scope)
        let queue = queue(store, at: 60)
        for _ in 0..<60 { _ = await queue.note(refresh(0), until: end, event: nil, scope: scope) }
        listener.takeAtMost(30)
        for _ in 0..<8 { _ = await queue.settle() }
        #expect(Set(listener.told.map(\.sessionID)).count == 60)
    }

    @Test("are kept in memory where the database is away")
    func memory() async {
        let (session, scope) = (UUID(), makeOrigin().scope)
        let queue = queue(NoStore(), at: 60)
        #expect(await queue.note(refresh(0, of: session), until: end, event: nil, scope: scope) == [])
        #expect(await queue.note(refresh(20, of: session), until: end, event: nil, scope: scope) == [start])
        #expect(await !queue.settle())
        #expect(listener.told == [refresh(0, of: session), refresh(20, of: session)])
        #expect(await queue.settle())
        #expect(listener.told.count == 2)
    }

    @Test("are counted, with the age of the first of them", arguments: IdentityStore.allCases)
    func counted(kind: IdentityStore) async throws {
        let (store, scope) = (try await store(kind), makeOrigin().scope)
        await queue(store, at: 0).look()
        #expect(shown == [0, 0])
        for seconds in [0.0, 30] {
            _ = await queue(store, at: 0).note(refresh(seconds), until: end, event: nil, scope: scope)
        }
        await queue(store, at: 90).look()
        #expect(shown == [2, 90])
        #expect(await !queue(store, at: 90).settle())
        await queue(store, at: 90).look()
        #expect(shown == [0, 0])
    }

    @Test("count also where memory alone has them")
    func countedInMemory() async {
        let queue = queue(NoStore(), at: 60)
        _ = await queue.note(refresh(0), until: end, event: nil, scope: makeOrigin().scope)
        await queue.look()
        #expect(shown == [1, 60])
    }

    /// What the gauges say: how many, and for how long.
    private var shown: [Double] {
        ["authms_unanswered_refreshes", "authms_unanswered_refreshes_oldest_age_seconds"].map {
            metrics.gauge($0).value
        }
    }
}
