import ConnectionKit
import Postgres
import TestSupport
import Testing

@Suite("Statements that go together")
struct TogetherTests {
    private static let setting: SQL = "SELECT set_config('test.word', 'here', true)"
    private static let word: SQL = "SELECT coalesce(current_setting('test.word', true), '') AS word"

    private func expect(_ word: String, _ client: PostgresClient, precededBy first: SQL? = nil) async throws {
        let found = try await client.query(Self.word, precededBy: first, deadline: .generous)
        #expect(try found.column("word", as: String.self) == [word])
    }

    @Test("What the first sets for its transaction holds for the second and for nothing after it")
    func oneTransaction() async throws {
        try await withClient({ $0.poolSize = 1 }) { client in
            for _ in 0..<3 {
                try await expect("here", client, precededBy: Self.setting)
                try await expect("", client)
            }
            #expect(client.connectionCounts.connections == 1)
        }
    }

    @Test("A transaction that begins with a statement is one with it, and is ended like any other")
    func beginning() async throws {
        try await withClient({ $0.poolSize = 1 }) { client in
            try await client.query("CREATE TABLE t (n int8 PRIMARY KEY)", deadline: .generous)
            let seen = try await client.withTransaction(beginningWith: Self.setting, deadline: .generous) {
                connection in
                try await connection.query("INSERT INTO t VALUES (1)")
                return try await connection.query(Self.word).column("word", as: String.self)
            }
            #expect(seen == ["here"])
            try await expect("", client)
            await #expect(throws: PostgresError.self) {
                try await client.withTransaction(
                    beginningWith: "INSERT INTO t VALUES (2)", deadline: .generous
                ) { try await $0.query("INSERT INTO t VALUES (1)") }
            }
            // A first statement that fails leaves nothing open behind it.
            await #expect(throws: PostgresError.self) {
                try await client.withTransaction(beginningWith: "SELECT 1 / 0", deadline: .generous) { _ in }
            }
            let left = try await client.query("SELECT n FROM t", deadline: .generous).column("n", as: Int.self)
            #expect(left == [1])
        }
    }

    @Test("When one fails neither has happened, and the connection is used again", arguments: [true, false])
    func failure(isFirst: Bool) async throws {
        try await withClient({ $0.poolSize = 1 }) { client in
            try await client.query("CREATE TABLE t (n int8 PRIMARY KEY)", deadline: .generous)
            let (good, bad): (SQL, SQL) = ("INSERT INTO t VALUES (1)", "SELECT 1 / 0")
            let error = await #expect(throws: PostgresError.self) {
                try await client.query(
                    isFirst ? good : bad, precededBy: isFirst ? bad : good, deadline: .generous)
            }
            #expect(error?.sqlState == "22012")
            #expect(try await client.query("SELECT FROM t", deadline: .generous).isEmpty)
            #expect(client.connectionCounts.connections == 1)
        }
    }

    @Test("A statement whose table has changed is prepared anew, together with the other")
    func changedTable() async throws {
        try await withClient({ $0.poolSize = 1 }) { client in
            try await client.query("CREATE TABLE t (n int8)", deadline: .generous)
            try await client.query("INSERT INTO t VALUES (1)", deadline: .generous)
            for change: SQL in ["SELECT 1", "ALTER TABLE t ADD COLUMN m int8", "DEALLOCATE ALL"] {
                try await client.query(change, deadline: .generous)
                let rows = try await client.query(
                    "SELECT * FROM t", precededBy: Self.setting, deadline: .generous)
                #expect(rows.count == 1, "\(change)")
            }
        }
    }

    @Test("A transaction begins on a connection whose statements are gone", arguments: ["DEALLOCATE", "DISCARD"])
    func deallocated(verb: String) async throws {
        try await withClient({ $0.poolSize = 1 }) { client in
            let first = try await seenInTransaction(client)
            for _ in 0..<2 {
                try await client.withConnection(deadline: .generous) { try await $0.execute(script: "\(verb) ALL") }
                #expect(try await seenInTransaction(client) == first)
            }
        }
    }

    @Test("A transaction whose first statement alone is deallocated fails, and the next one works")
    func firstDeallocated() async throws {
        try await withClient({ $0.poolSize = 1 }) { client in
            let first = try await seenInTransaction(client)
            let names = try await client.query(
                "SELECT name FROM pg_prepared_statements WHERE statement LIKE 'SELECT set_config(%'",
                deadline: .generous
            ).column("name", as: String.self)
            let name = try #require(names.first)
            try await client.withConnection(deadline: .generous) {
                try await $0.execute(script: "DEALLOCATE \(name)")
            }
            let error = await #expect(throws: PostgresError.self) { _ = try await seenInTransaction(client) }
            #expect(error?.sqlState == "26000")
            #expect(try await seenInTransaction(client).word == first.word)
            try await expect("", client)
        }
    }

    /// What the first statement has set, and the server process that the transaction was on.
    private func seenInTransaction(_ client: PostgresClient) async throws -> (word: String, processID: Int32) {
        try await client.withTransaction(beginningWith: Self.setting, deadline: .generous) { connection in
            let word = try await connection.query(Self.word).column("word", as: String.self)
            let processID = try await connection.query("SELECT pg_backend_pid() AS pid").column("pid", as: Int32.self)
            return (try #require(word.first), try #require(processID.first))
        }
    }

    @Test("Parameters and rows of several megabytes go through")
    func large() async throws {
        try await withClient { client in
            let text = String(repeating: "naïve 🦀", count: 400_000)
            let rows = try await client.query(
                "SELECT \(text)::text AS text FROM generate_series(1, 3)", precededBy: "SELECT length(\(text)::text)",
                deadline: .generous)
            #expect(try rows.column("text", as: String.self) == Array(repeating: text, count: 3))
        }
    }

    @Test("A cancelled one is cancelled at the server, and its connection is gone")
    func cancelled() async throws {
        try await withClient({ $0.poolSize = 1 }) { client in
            let task = Task {
                try await client.query(
                    "SELECT pg_sleep(10) /* together */", precededBy: Self.setting, deadline: .generous)
            }
            try await TestPostgres.shared().waitUntil(1, of: "/* together */")
            task.cancel()
            let error = await #expect(throws: PostgresError.self) { _ = try await task.value }
            #expect(error?.kind == .cancelled)
            try await TestPostgres.shared().waitUntil(0, of: "/* together */")
            try await expect("", client)
        }
    }

    @Test("A server that ends the connection in between is an error, not a wait")
    func terminated() async throws {
        try await withClient({ $0.poolSize = 1 }) { client in
            let start = ContinuousClock.now
            await #expect(throws: PostgresError.self) {
                try await client.query(
                    "SELECT pg_terminate_backend(pg_backend_pid())", precededBy: Self.setting, deadline: .generous)
            }
            #expect(ContinuousClock.now - start < .seconds(10))
            try await expect("here", client, precededBy: Self.setting)
        }
    }
}
