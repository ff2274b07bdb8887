import ConnectionKit
import Logging
import Synchronization
import Testing

@Suite("Pool: the shell")
struct ConnectionPoolTests {
    private final class Connection: Sendable {}
    private struct Refused: Error {}

    /// Opens connections, or refuses to.
    private final class Server: Sendable {
        let opened = Atomic(0)
        let isDown = Atomic(false)

        func open() async throws -> Connection {
            if isDown.load(ordering: .relaxed) { throw Refused() }
            opened.add(1, ordering: .relaxed)
            await Task.yield()
            return Connection()
        }
    }

    /// The connections that somebody holds.
    private final class Holders: Sendable {
        private let held = Mutex<Set<ObjectIdentifier>>([])

        /// - Returns: whether nobody else held it.
        func take(_ connection: Connection) -> Bool {
            held.withLock { $0.insert(ObjectIdentifier(connection)).inserted }
        }

        func giveBack(_ connection: Connection) {
            held.withLock { _ = $0.remove(ObjectIdentifier(connection)) }
        }
    }

    private func makePool(
        _ server: Server, capacity: Int = 4, acquireTimeout: Duration = .seconds(20)
    ) -> ConnectionPool<Connection> {
        ConnectionPool(
            configuration: PoolConfiguration(capacity: capacity, acquireTimeout: acquireTimeout),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            open: { try await server.open() })
    }

    @Test("Many callers share few connections, and each has its own while it holds it")
    func sharing() async throws {
        let server = Server()
        let pool = makePool(server)
        let holders = Holders()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<200 {
                group.addTask {
                    let lease = try await pool.lease(deadline: .after(.seconds(20)))
                    #expect(holders.take(lease.connection))
                    await Task.yield()
                    holders.giveBack(lease.connection)
                    pool.release(lease, reusable: Int.random(in: 0..<10) > 0)
                }
            }
            try await group.waitForAll()
        }
        #expect(pool.counts.connections <= 4)
        #expect(pool.counts.connections == pool.counts.idle)
        await pool.close()
    }

    @Test("A waiting caller that is cancelled returns at once, and the connection goes to the next one")
    func cancellation() async throws {
        let pool = makePool(Server(), capacity: 1)
        let held = try await pool.lease(deadline: .after(.seconds(20)))
        let first = Task { try await pool.lease(deadline: .after(.seconds(20))) }
        let second = Task { try await pool.lease(deadline: .after(.seconds(20))) }
        first.cancel()
        await #expect(throws: PoolError.self) { try await first.value }
        pool.release(held, reusable: true)
        pool.release(try await second.value, reusable: true)
        await pool.close()
    }

    @Test("A waiting caller gives up after the acquire timeout")
    func timeout() async throws {
        let pool = makePool(Server(), capacity: 1, acquireTimeout: .milliseconds(500))
        let held = try await pool.lease(deadline: .after(.seconds(20)))
        let error = await #expect(throws: PoolError.self) { try await pool.lease(deadline: .after(.seconds(20))) }
        guard case .exhausted? = error else {
            Issue.record("expected .exhausted, got \(String(describing: error))")
            return
        }
        pool.release(held, reusable: true)
        await pool.close()
    }

    @Test("A refused connection is reported with its reason, and a maintained pool recovers by itself")
    func recovery() async throws {
        let server = Server()
        server.isDown.store(true, ordering: .relaxed)
        let pool = makePool(server)
        let error = await #expect(throws: PoolError.self) { try await pool.lease(deadline: .after(.seconds(20))) }
        guard case .unavailable(let reason)? = error else {
            Issue.record("expected .unavailable, got \(String(describing: error))")
            return
        }
        #expect(reason is Refused)
        #expect(!pool.isAvailable)
        pool.maintain()
        server.isDown.store(false, ordering: .relaxed)
        let deadline = Deadline.after(.seconds(10))
        while !pool.isAvailable, !deadline.hasPassed { try await Task.sleep(for: .milliseconds(5)) }
        #expect(pool.isAvailable)
        #expect(pool.counts.idle == 1)
        await pool.close()
    }

    @Test("A drain returns with the last release; a drain that lasts too long returns at its deadline")
    func drain() async throws {
        let pool = makePool(Server())
        let held = try await pool.lease(deadline: .after(.seconds(20)))
        let start = ContinuousClock.now
        await pool.drain(until: .after(.milliseconds(80)))
        #expect(start.duration(to: .now) >= .milliseconds(80))
        let draining = Task { await pool.drain(until: .after(.seconds(20))) }
        await Task.yield()
        pool.release(held, reusable: true)
        await draining.value
        #expect(start.duration(to: .now) < .seconds(10))
        await pool.close()
    }

    @Test("Closing cancels an attempt to connect and waits for its end")
    func closing() async throws {
        let server = Server()
        let pool = ConnectionPool<Connection>(
            configuration: PoolConfiguration(capacity: 1),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            open: {
                defer { server.isDown.store(true, ordering: .sequentiallyConsistent) }
                try await Task.sleep(for: .seconds(60))
                return Connection()
            })
        pool.maintain()
        await pool.close()
        let hasEnded = server.isDown.load(ordering: .sequentiallyConsistent)
        #expect(hasEnded)
        await #expect(throws: PoolError.self) { try await pool.lease(deadline: .after(.seconds(1))) }
    }
}
