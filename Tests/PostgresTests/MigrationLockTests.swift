import ConnectionKit
import Foundation
import Postgres
import Synchronization
import Testing

@Suite("Migrations of a database that is in use")
struct MigrationLockTests {
    private static let hasty = LockPatience(timeout: .milliseconds(400), attempts: 2, pause: .milliseconds(50))
    private let alteration = Migration(version: 1, name: "alteration", sql: "ALTER TABLE a ADD COLUMN m int8;")
    private let index = Migration(
        version: 1, name: "index",
        sql: """
            -- authms: no-transaction
            -- What is looked for; by number.
            CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS a_by_n ON a (n);

            """)

    private func withTable(poolSize: Int = 8, _ body: (PostgresClient) async throws -> Void) async throws {
        try await withClient({ $0.poolSize = poolSize }) { client in
            try await client.query("CREATE TABLE a (n int8)", deadline: .generous)
            try await body(client)
        }
    }

    @Test("One that finds a table locked gives up soon, says which lock and who holds it, and lets others through")
    func locked() async throws {
        try await withTable { client in
            let set = try MigrationSet([alteration])
            try await client.withTransaction(deadline: .generous) { reader in
                try await reader.query("SELECT n FROM a")
                let told = Mutex<[MigrationProgress]>([])
                let error = await #expect(throws: MigrationError.self) {
                    try await PostgresMigrator(client, patience: Self.hasty).migrate(set, deadline: .generous) { step in
                        told.withLock { $0.append(step) }
                    }
                }
                let text = try #require(error?.description)
                #expect(
                    text.contains("0001_alteration waited 2 times in vain for AccessExclusiveLock on a, which process"))
                #expect(text.contains("idle in transaction") && error?.isUnavailable == true)
                let waits = told.withLock { $0 }.filter {
                    if case .waiting("0001_alteration", _) = $0 { true } else { false }
                }
                #expect(waits.count == 1)
                // Nobody waits behind it any more.
                try await client.query("SELECT n FROM a", deadline: .after(.seconds(5)))
            }
            let report = try await PostgresMigrator(client).migrate(set, deadline: .generous)
            #expect(report.applied == ["0001_alteration"])
        }
    }

    @Test("One that finds a table locked comes again, and is applied when the lock is free")
    func comesAgain() async throws {
        try await withTable { client in
            let (held, holds) = AsyncStream<Void>.makeStream()
            let (waits, waiting) = AsyncStream<Void>.makeStream()
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    try await client.withTransaction(deadline: .generous) { reader in
                        try await reader.query("SELECT n FROM a")
                        holds.finish()
                        // Longer than one try lasts.
                        for await _ in waits {}
                        try await Task.sleep(for: .milliseconds(500))
                    }
                }
                for await _ in held {}
                let patience = LockPatience(timeout: .milliseconds(400), attempts: 20, pause: .milliseconds(50))
                let report = try await PostgresMigrator(client, patience: patience).migrate(
                    try MigrationSet([alteration]), deadline: .generous
                ) { if case .waiting = $0 { waiting.finish() } }
                #expect(report.applied == ["0001_alteration"])
                try await group.waitForAll()
            }
        }
    }

    @Test("One without a transaction builds an index concurrently, and anew where a build has failed")
    func invalidIndex() async throws {
        try await withTable { client in
            let set = try MigrationSet([index])
            try await client.query("INSERT INTO a VALUES (1), (1)", deadline: .generous)
            let error = await #expect(throws: MigrationError.self) {
                try await PostgresMigrator(client).migrate(set, deadline: .generous)
            }
            #expect(error?.description.contains("0001_index, which runs without a transaction, failed: ") == true)
            #expect(try await isValid(client) == [false])
            try await client.query("DELETE FROM a", deadline: .generous)
            let report = try await PostgresMigrator(client).migrate(set, deadline: .generous)
            #expect(report.applied == ["0001_index"])
            #expect(try await isValid(client) == [true])
            #expect(try await PostgresMigrator(client).migrate(set, deadline: .generous).present == ["0001_index"])
        }
    }

    @Test("One without a transaction that was built and not noted is noted the next time")
    func builtAlready() async throws {
        try await withTable(poolSize: 1) { client in
            try await client.query("CREATE UNIQUE INDEX a_by_n ON a (n)", deadline: .generous)
            let report = try await PostgresMigrator(client).migrate(try MigrationSet([index]), deadline: .generous)
            #expect(report.applied == ["0001_index"])
            #expect(try await isValid(client) == [true])
            // What was set on the connection for the build is not set any more.
            let settings = try await client.query(
                "SELECT current_setting('statement_timeout') AS statement, current_setting('lock_timeout') AS lock",
                deadline: .generous)
            #expect(try settings.first?.decode(String.self, "statement") == "1min")
            #expect(try settings.first?.decode(String.self, "lock") == "0")
        }
    }

    @Test("Several migrators at once do not stand in the way of a concurrent build")
    func concurrentBuild() async throws {
        try await withTable { client in
            let set = try MigrationSet([index])
            let applied = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<4 {
                    group.addTask {
                        try await PostgresMigrator(client).migrate(set, deadline: .generous).applied.count
                    }
                }
                return try await group.reduce(0, +)
            }
            #expect(applied == 1)
        }
    }

    @Test(
        "One without a transaction is refused where it could not be tried again",
        arguments: [
            "CREATE INDEX CONCURRENTLY a_by_n ON a (n);",
            "CREATE INDEX CONCURRENTLY IF NOT EXISTS \"A\" ON a (n);",
            "CREATE INDEX CONCURRENTLY IF NOT EXISTS a_by_n ON a (n); SELECT 1;", "-- nothing\n",
        ])
    func refused(statement: String) async throws {
        let migration = Migration(
            version: 1, name: "bad", sql: "\(Migration.noTransactionDirective)\n\(statement)")
        try await withTable { client in
            let error = await #expect(throws: MigrationError.self) {
                try await PostgresMigrator(client).migrate(try MigrationSet([migration]), deadline: .generous)
            }
            #expect(error?.description.hasPrefix("The migration 0001_bad runs without a transaction; ") == true)
        }
    }

    @Test("The directive counts on the first line alone")
    func directive() {
        let line = Migration.noTransactionDirective
        #expect(!Migration(version: 1, name: "a", sql: "\(line)\r\nVACUUM;").runsInTransaction)
        #expect(Migration(version: 1, name: "a", sql: "-- first\n\(line)\nVACUUM;").runsInTransaction)
        #expect(Migration(version: 1, name: "a", sql: "").runsInTransaction)
    }

    private func isValid(_ client: PostgresClient) async throws -> [Bool] {
        try await client.query(
            "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('a_by_n')", deadline: .generous
        ).column("indisvalid")
    }
}
