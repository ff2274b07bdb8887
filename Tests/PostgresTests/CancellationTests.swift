import ConnectionKit
import Postgres
import TestSupport
import Testing

@Suite("Deadlines and cancellation")
struct CancellationTests {
    private func waitUntil(_ count: Int, of marker: String) async throws {
        try await TestPostgres.shared().waitUntil(count, of: marker)
    }

    @Test("A cancelled 10 s query returns within 50 ms, ends on the server too, and leaves the pool whole")
    func cancellation() async throws {
        try await withClient({ $0.poolSize = 4 }) { client in
            // The best of a few rounds, since the machine may be busy with other tests; one that waits for the server
            // or for another connection is never that fast.
            var fastest = Duration.seconds(10)
            for _ in 0..<5 where fastest >= .milliseconds(50) {
                let queries = (0..<4).map { _ in
                    Task { try await client.query("SELECT pg_sleep(10) /* cancellation */", deadline: .generous) }
                }
                try await waitUntil(4, of: "/* cancellation */")
                let start = ContinuousClock.now
                for query in queries { query.cancel() }
                for query in queries {
                    let error = await #expect(throws: PostgresError.self) { try await query.value }
                    #expect(error?.kind == .cancelled)
                }
                fastest = min(fastest, start.duration(to: .now))
                try await waitUntil(0, of: "/* cancellation */")
            }
            #expect(fastest < .milliseconds(50))
            // Whole: as many connections as before, all at work at once.
            try await withThrowingTaskGroup { group in
                for _ in 0..<4 {
                    group.addTask { try await client.query("SELECT pg_sleep(0.1)", deadline: .generous) }
                }
                try await group.waitForAll()
            }
            #expect(client.connectionCounts == (4, 4))
        }
    }

    @Test("A task that is cancelled already sends nothing, and its connection stays")
    func cancelledBefore() async throws {
        try await withClient { client in
            try await client.ping(deadline: .generous)
            let task = Task {
                withUnsafeCurrentTask { $0?.cancel() }
                try await client.ping(deadline: .generous)
            }
            let error = await #expect(throws: PostgresError.self) { try await task.value }
            #expect(error?.kind == .cancelled)
            #expect(error?.isOutcomeUnknown == false)
            #expect(client.connectionCounts == (1, 1))
        }
    }

    @Test("A query that runs past its deadline returns then, and ends on the server too")
    func deadline() async throws {
        try await withClient { client in
            try await client.ping(deadline: .generous)
            let start = ContinuousClock.now
            let error = await #expect(throws: PostgresError.self) {
                try await client.query("SELECT pg_sleep(10) /* deadline */", deadline: .after(.milliseconds(200)))
            }
            #expect(start.duration(to: .now) < .seconds(2))
            #expect(error?.kind == .deadlineExceeded)
            #expect(error?.isOutcomeUnknown == true)
            try await waitUntil(0, of: "/* deadline */")
            try await client.ping(deadline: .generous)
        }
    }

    @Test("Cancelling at random moments never breaks a later query")
    func cancellationStorm() async throws {
        try await withClient({ $0.poolSize = 3 }) { client in
            await withTaskGroup(of: Void.self) { group in
                for round in 0..<120 {
                    group.addTask {
                        let task = Task {
                            let value = try await client.query(
                                "SELECT \(round) AS v, pg_sleep(0.001)", deadline: .generous)
                            #expect(try value.first?.decode(Int.self, "v") == round)
                        }
                        if round % 3 != 0 {
                            try? await Task.sleep(for: .microseconds(Int.random(in: 0..<6_000)))
                            task.cancel()
                        }
                        do {
                            try await task.value
                        } catch let error as PostgresError {
                            // Waiting behind reconnections may take its time; nothing else may go wrong.
                            #expect(round % 3 == 0 ? error.kind == .acquireTimeout : error.kind == .cancelled)
                        } catch {
                            Issue.record(error)
                        }
                    }
                }
            }
            try await client.ping(deadline: .generous)
            #expect(client.connectionCounts.connections <= 3)
        }
    }

    @Test("When all connections are busy a caller waits for the acquire timeout, not for ever")
    func exhaustion() async throws {
        try await withClient({
            $0.poolSize = 2
            $0.acquireTimeout = .milliseconds(800)
        }) { client in
            try await untilItSucceeds {
                try await client.withConnection(deadline: .generous) { _ in try await client.ping(deadline: .generous) }
            }
            let busy = (0..<2).map { _ in
                Task { try await client.query("SELECT pg_sleep(10) /* exhaustion */", deadline: .generous) }
            }
            try await waitUntil(2, of: "/* exhaustion */")
            let start = ContinuousClock.now
            let error = await #expect(throws: PostgresError.self) { try await client.ping(deadline: .generous) }
            let waited = start.duration(to: .now)
            #expect(error?.kind == .acquireTimeout)
            #expect(error?.isUnavailable == true)
            #expect(waited >= .milliseconds(800) && waited < .seconds(5))
            let late = await #expect(throws: PostgresError.self) {
                try await client.ping(deadline: .after(.milliseconds(20)))
            }
            #expect(late?.kind == .deadlineExceeded)
            for query in busy { query.cancel() }
            for query in busy { _ = await query.result }
            try await client.ping(deadline: .generous)
        }
    }

    @Test("More callers than may wait are refused at once")
    func waiterBound() async throws {
        try await withClient({
            $0.poolSize = 1
            $0.waiterLimit = 2
        }) { client in
            let errors = await withTaskGroup(of: PostgresError?.self) { group in
                for _ in 0..<6 {
                    group.addTask {
                        do throws(PostgresError) {
                            try await client.query("SELECT pg_sleep(0.2)", deadline: .generous)
                            return nil
                        } catch {
                            return error
                        }
                    }
                }
                return await group.reduce(into: [PostgresError.Kind]()) { errors, error in
                    if let error { errors.append(error.kind) }
                }
            }
            #expect(errors.count >= 3)
            #expect(errors.allSatisfy { $0 == .acquireTimeout })
        }
    }
}
