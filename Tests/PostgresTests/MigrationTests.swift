import ConnectionKit
import Foundation
import Postgres
import Testing

@Suite("Migrations")
struct MigrationTests {
    private let first = Migration(version: 1, name: "first", sql: "CREATE TABLE a (n int8); CREATE TABLE b (n int8);")
    private let second = Migration(version: 2, name: "second", sql: "INSERT INTO a VALUES (1);")
    private let third = Migration(version: 3, name: "third", sql: "INSERT INTO a VALUES (2);")

    @Test("Migrations are applied once, in order")
    func appliesOnce() async throws {
        try await withClient { client in
            let set = try MigrationSet([second, first])
            let report = try await PostgresMigrator(client).migrate(set, deadline: .generous)
            #expect(report.applied == ["0001_first", "0002_second"])
            let again = try await PostgresMigrator(client).migrate(set, deadline: .generous)
            #expect(again.applied.isEmpty)
            #expect(again.present == ["0001_first", "0002_second"])
            let rows = try await client.query("SELECT n FROM a", deadline: .generous)
            #expect(try rows.column("n", as: Int.self) == [1])
        }
    }

    @Test("Two migrators at once apply each migration once")
    func concurrent() async throws {
        try await withClient { client in
            let set = try MigrationSet([first, second, third])
            let applied = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<4 {
                    group.addTask {
                        try await PostgresMigrator(client).migrate(set, deadline: .generous).applied.count
                    }
                }
                return try await group.reduce(0, +)
            }
            #expect(applied == 3)
        }
    }

    @Test("A migration that fails leaves nothing behind and says what the server said")
    func failure() async throws {
        try await withClient { client in
            let broken = Migration(version: 2, name: "broken", sql: "CREATE TABLE c (n int8); SELECT 1 / 0;")
            let error = await #expect(throws: MigrationError.self) {
                try await PostgresMigrator(client).migrate(try MigrationSet([first, broken]), deadline: .generous)
            }
            #expect(error?.description.contains("0002_broken failed and was rolled back: division by zero") == true)
            let tables = try await client.query(
                "SELECT to_regclass('a') IS NOT NULL AS a, to_regclass('c') IS NULL AS c", deadline: .generous)
            #expect(try tables.first?.decode("a") == true)
            #expect(try tables.first?.decode("c") == true)
        }
    }

    @Test("A migration may take longer than a statement of the service")
    func long() async throws {
        try await withClient({ ($0.statementTimeout, $0.poolSize) = (.seconds(2), 1) }) { client in
            let long = Migration(version: 1, name: "long", sql: "SELECT pg_sleep(2.5);")
            let report = try await PostgresMigrator(client).migrate(try MigrationSet([long]), deadline: .generous)
            #expect(report.applied == ["0001_long"])
            // It was set for the migration's transaction alone.
            let after = try await client.query(
                "SELECT current_setting('statement_timeout') AS statement", deadline: .generous)
            #expect(try after.column("statement", as: String.self) == ["2s"])
        }
    }

    @Test("A migration that ends its own transaction is refused")
    func ownTransaction() async throws {
        try await withClient { client in
            let set = try MigrationSet([Migration(version: 1, name: "own", sql: "SELECT 1; COMMIT;")])
            await #expect(throws: MigrationError.endedTransaction("0001_own")) {
                try await PostgresMigrator(client).migrate(set, deadline: .generous)
            }
        }
    }

    @Test("A database that differs from the files is refused with one sentence")
    func drift() async throws {
        try await withClient { client in
            let migrator = PostgresMigrator(client)
            try await migrator.migrate(try MigrationSet([first, third]), deadline: .generous)
            let changed = Migration(version: 1, name: "first", sql: "SELECT 1;")
            await #expect(throws: MigrationError.changed("0001_first")) {
                try await migrator.migrate(try MigrationSet([changed, third]), deadline: .generous)
            }
            await #expect(throws: MigrationError.missing("0001_first")) {
                try await migrator.migrate(try MigrationSet([third]), deadline: .generous)
            }
            await #expect(throws: MigrationError.outOfOrder("0002_second", applied: "0003_third")) {
                try await migrator.migrate(try MigrationSet([first, second, third]), deadline: .generous)
            }
        }
    }

    @Test("The program before the present one still starts on a newer schema")
    func newerSchema() async throws {
        try await withClient { client in
            let migrator = PostgresMigrator(client)
            try await migrator.migrate(try MigrationSet([first, second]), deadline: .generous)
            let report = try await migrator.migrate(try MigrationSet([first]), deadline: .generous)
            #expect(report.newer == ["0002_second"])
        }
    }

    @Test("A directory's files are read in order; a name that is not understood is refused")
    func directory() throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let path = directory.path(percentEncoded: false)
        #expect(throws: MigrationError.empty(path)) { try MigrationSet(directory: path) }
        for name in ["0002_users.sql", "0001_outbox.sql", "README.md"] {
            try Data("SELECT 1;".utf8).write(to: directory.appending(path: name))
        }
        #expect(try MigrationSet(directory: path).migrations.map(\.label) == ["0001_outbox", "0002_users"])
        try Data("SELECT 2;".utf8).write(to: directory.appending(path: "0002_other.sql"))
        #expect(throws: MigrationError.self) { try MigrationSet(directory: path) }
        try Data().write(to: directory.appending(path: "users.sql"))
        #expect(throws: MigrationError.badName("users.sql")) { try MigrationSet(directory: path) }
    }
}
