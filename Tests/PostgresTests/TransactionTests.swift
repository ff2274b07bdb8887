import ConnectionKit
import Postgres
import TestSupport
import Testing

@Suite("Transactions")
struct TransactionTests {
    private struct Refusal: Error {}

    private func withTable(_ body: (PostgresClient) async throws -> Void) async throws {
        try await withClient({ $0.poolSize = 2 }) { client in
            try await client.query("CREATE TABLE t (n int8 PRIMARY KEY)", deadline: .generous)
            try await body(client)
        }
    }

    private func count(_ client: PostgresClient) async throws -> Int {
        try await client.query("SELECT count(*) AS n FROM t", deadline: .generous).column("n")[0]
    }

    @Test("A transaction whose body returns is committed")
    func commits() async throws {
        try await withTable { client in
            let value = try await client.withTransaction(deadline: .generous) { connection in
                try await connection.query("INSERT INTO t VALUES (1)")
                let count0 = try await count(client)
                #expect(count0 == 0)
                return 7
            }
            #expect(value == 7)
            let count1 = try await count(client)
            #expect(count1 == 1)
        }
    }

    @Test("A transaction whose body throws leaves nothing behind, and its connection is used again")
    func rollsBack() async throws {
        try await withTable { client in
            await #expect(throws: Refusal.self) {
                try await client.withTransaction(deadline: .generous) { connection in
                    try await connection.query("INSERT INTO t VALUES (1)")
                    throw Refusal()
                }
            }
            let count0 = try await count(client)
            #expect(count0 == 0)
            #expect(client.connectionCounts.connections == 1)
        }
    }

    @Test("A transaction that hides a failed statement is not reported as committed")
    func hiddenFailure() async throws {
        try await withTable { client in
            let error = await #expect(throws: PostgresError.self) {
                try await client.withTransaction(deadline: .generous) { connection in
                    try await connection.query("INSERT INTO t VALUES (1)")
                    _ = try? await connection.query("INSERT INTO t VALUES (1)")
                }
            }
            #expect(error?.sqlState == "25P02")
            let count0 = try await count(client)
            #expect(count0 == 0)
        }
    }

    @Test("A transaction that somebody leaves open on a leased connection is rolled back")
    func leftOpen() async throws {
        try await withTable { client in
            try await client.withConnection(deadline: .generous) { connection in
                try await connection.execute(script: "BEGIN; INSERT INTO t VALUES (1)")
            }
            let count0 = try await count(client)
            #expect(count0 == 0)
        }
    }

    @Test("A connection that outlives its lease refuses to work")
    func escapedConnection() async throws {
        try await withTable { client in
            let escaped = try await client.withConnection(deadline: .generous) { $0 }
            let error = await #expect(throws: PostgresError.self) { try await escaped.query("SELECT 1") }
            #expect(error?.kind == .protocolViolation)
        }
    }

    @Test("A cancelled transaction leaves nothing behind")
    func cancelledTransaction() async throws {
        try await withTable { client in
            let task = Task {
                try await client.withTransaction(deadline: .generous) { connection in
                    try await connection.query("INSERT INTO t VALUES (1)")
                    try await connection.query("SELECT pg_sleep(10) /* transaction */")
                }
            }
            try await TestPostgres.shared().waitUntil(1, of: "/* transaction */")
            task.cancel()
            let error = await #expect(throws: PostgresError.self) { try await task.value }
            #expect(error?.kind == .cancelled)
            #expect(error?.isOutcomeUnknown == false)
            let count0 = try await count(client)
            #expect(count0 == 0)
        }
    }
}
