import ConnectionKit
import Foundation
import Postgres
import ServiceLifecycle
import TestSupport
import Testing

@Suite("Outages", .serialized)
struct OutageTests {
    private func withServer(_ body: (TestPostgres) async throws -> Void) async throws {
        let server = try await TestPostgres.start()
        do {
            try await body(server)
        } catch {
            await server.stop()
            throw error
        }
        await server.stop()
    }

    /// Queries without pause until `task` is cancelled; every failure must be one that says "try again later".
    private func load(_ client: PostgresClient) -> Task<Int, any Error> {
        Task {
            var answers = 0
            while !Task.isCancelled {
                do throws(PostgresError) {
                    try await client.query("SELECT pg_sleep(0.001)", deadline: .after(.milliseconds(500)))
                    answers += 1
                } catch {
                    #expect(error.isUnavailable || error.kind == .cancelled, "\(error)")
                    try? await Task.sleep(for: .milliseconds(2))
                }
            }
            return answers
        }
    }

    @Test("A server that is killed and comes back is used again; meanwhile calls fail at once and as unavailable")
    func kill() async throws {
        try await withServer { server in
            try await withClient(on: server, { $0.poolSize = 4 }) { client in
                try await client.ping(deadline: .generous)
                let tasks = (0..<8).map { _ in load(client) }
                try await Task.sleep(for: .milliseconds(300))
                await server.kill()
                try await eventually("the outage is noticed") { !client.isAvailable }
                let start = ContinuousClock.now
                await #expect(throws: PostgresError.self) { try await client.ping(deadline: .generous) }
                #expect(start.duration(to: .now) < .seconds(2))
                try await server.restart()
                try await untilItSucceeds { try await client.ping(deadline: .generous) }
                #expect(client.isAvailable)
                for task in tasks { task.cancel() }
                for task in tasks { #expect(try await task.value > 0) }
            }
        }
    }

    @Test("After a restart no caller meets the dead connections of an idle pool")
    func restart() async throws {
        try await withServer { server in
            try await withClient(on: server, { $0.poolSize = 4 }) { client in
                try await withThrowingTaskGroup { group in
                    for _ in 0..<4 {
                        group.addTask { try await client.query("SELECT pg_sleep(0.1)", deadline: .generous) }
                    }
                    try await group.waitForAll()
                }
                #expect(client.connectionCounts == (4, 4))
                try await server.restart()
                try await untilItSucceeds { try await server.execute("SELECT 1") }
                for _ in 0..<8 { try await client.ping(deadline: .generous) }
            }
        }
    }

    @Test("A server that stalls costs each call its deadline and no more; when it goes on so does the pool")
    func stall() async throws {
        try await withServer { server in
            try await withClient(
                on: server,
                {
                    $0.poolSize = 2
                    $0.connectTimeout = .milliseconds(400)
                }
            ) { client in
                try await client.ping(deadline: .generous)
                await server.pause()
                for _ in 0..<6 {
                    let start = ContinuousClock.now
                    let error = await #expect(throws: PostgresError.self) {
                        try await client.ping(deadline: .after(.milliseconds(200)))
                    }
                    #expect(error?.isUnavailable == true)
                    #expect(start.duration(to: .now) < .seconds(2))
                }
                try await eventually("the outage is noticed") { !client.isAvailable }
                await server.continue()
                try await untilItSucceeds { try await client.ping(deadline: .generous) }
            }
        }
    }

    @Test("A COMMIT whose answer does not come says that its outcome is unknown")
    func unknownOutcome() async throws {
        try await withServer { server in
            try await withClient(on: server) { client in
                try await client.query("CREATE TABLE t (n int8)", deadline: .generous)
                let error = await #expect(throws: PostgresError.self) {
                    try await client.withTransaction(deadline: .after(.milliseconds(500))) { connection in
                        try await connection.query("INSERT INTO t VALUES (1)")
                        await server.pause()
                    }
                }
                await server.continue()
                #expect(error?.kind == .deadlineExceeded)
                #expect(error?.isOutcomeUnknown == true)
            }
        }
    }

    @Test("A maintained client reconnects without a caller, and a graceful shutdown lets what runs end")
    func lifecycle() async throws {
        try await withServer { server in
            try await withClient(on: server) { client in
                let group = ServiceGroup(
                    configuration: .init(services: [.init(service: client)], logger: quietLogger))
                let running = Task { try await group.run() }
                try await eventually("a connection is idle") { client.connectionCounts.idle > 0 }
                await server.kill()
                _ = try? await client.ping(deadline: .generous)
                try await eventually("the outage is noticed") { !client.isAvailable }
                try await server.restart()
                try await eventually("the server is there again") { client.isAvailable }
                let query = Task { try await client.query("SELECT pg_sleep(2) /* shutdown */", deadline: .generous) }
                try await server.waitUntil(1, of: "/* shutdown */")
                await group.triggerGracefulShutdown()
                try await running.value
                _ = try await query.value
                let error = await #expect(throws: PostgresError.self) { try await client.ping(deadline: .generous) }
                #expect(error?.kind == .unavailable)
            }
        }
    }
}
