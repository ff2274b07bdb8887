import ConnectionKit
import Foundation
import Postgres
import Testing

@Suite("Statements and values")
struct QueryTests {
    @Test("Every kind of value comes back as it was sent")
    func roundTrips() async throws {
        try await withClient { client in
            let id = UUID()
            let date = Date(timeIntervalSince1970: 1_763_848_800.123456)
            let row = try #require(
                try await client.query(
                    """
                    SELECT \(true) AS flag, \(Int16(-3)) AS small, \(Int32(70_000)) AS medium, \(Int.max) AS large,
                        \(-1.5) AS real, \("naïve 🦀")::text AS text, \(id) AS id, \(date) AS date,
                        \([0, 255, 10] as [UInt8]) AS bytes, \(Data([1, 2])) AS data, \(String?.none)::text AS nothing
                    """, deadline: .generous
                ).first)
            #expect(try row.decode("flag") == true)
            #expect(try row.decode("small") == Int16(-3))
            #expect(try row.decode("medium") == Int32(70_000))
            #expect(try row.decode("large") == Int.max)
            #expect(try row.decode("real") == -1.5)
            #expect(try row.decode("text") == "naïve 🦀")
            #expect(try row.decode("id") == id)
            #expect(abs(try row.decode(Date.self, "date").timeIntervalSince(date)) < 0.000_001)
            #expect(try row.decode("bytes") == [0, 255, 10] as [UInt8])
            #expect(try row.decode("data") == Data([1, 2]))
            #expect(try row.decode(String?.self, "nothing") == nil)
            #expect(row.isNull("nothing"))
        }
    }

    @Test("Arrays come back as they were sent, also when they are empty or hold NULLs")
    func arrays() async throws {
        try await withClient { client in
            let ids = [UUID(), UUID()]
            let texts: [String?] = ["a,\"b\"", nil, ""]
            let row = try #require(
                try await client.query(
                    """
                    SELECT \(ids) AS ids, \(texts) AS texts, \([1, 2, 3]) AS numbers, \([true, false]) AS flags,
                        \([[1], []] as [[UInt8]]) AS blobs, \([String]()) AS none, \([Date(timeIntervalSince1970: 0)]) AS dates
                    """, deadline: .generous
                ).first)
            #expect(try row.decode("ids") == ids)
            #expect(try row.decode("texts") == texts)
            #expect(try row.decode("numbers") == [1, 2, 3])
            #expect(try row.decode("flags") == [true, false])
            #expect(try row.decode("blobs") == [[1], []] as [[UInt8]])
            #expect(try row.decode("none") == [String]())
            #expect(try row.decode("dates") == [Date(timeIntervalSince1970: 0)])
        }
    }

    @Test("An array parameter unnests into rows")
    func unnest() async throws {
        try await withClient { client in
            try await client.query("CREATE TABLE t (id uuid, note text)", deadline: .generous)
            let ids = (0..<500).map { _ in UUID() }
            let notes = ids.indices.map { $0 % 2 == 0 ? "n\($0)" : nil }
            let result = try await client.query(
                "INSERT INTO t SELECT * FROM unnest(\(ids), \(notes))", deadline: .generous)
            #expect(result.affectedRows == 500)
            let count = try await client.query("SELECT count(note) AS n FROM t", deadline: .generous)
            #expect(try count.first?.decode("n") == 250)
        }
    }

    @Test("Strings fit columns of the types that are written as text; JSON reads and writes structures")
    func inferredTypes() async throws {
        struct Settings: Codable, Sendable, Equatable { var displayName: String; var count: Int }
        try await withClient { client in
            try await client.query("CREATE TYPE mood AS ENUM ('glad', 'sad')", deadline: .generous)
            try await client.query(
                "CREATE TABLE t (document jsonb, address inet, mood mood, settings jsonb)", deadline: .generous)
            let settings = Settings(displayName: "x", count: 2)
            try await client.query(
                """
                INSERT INTO t VALUES (\("{\"a\": 1}"), \("10.1.2.3"), \("glad"), \(PostgresJSON(settings)))
                """, deadline: .generous)
            let row = try #require(try await client.query("SELECT * FROM t", deadline: .generous).first)
            #expect(try row.decode("document") == "{\"a\": 1}")
            #expect(try row.decode("address") == "10.1.2.3")
            #expect(try row.decode("mood") == "glad")
            #expect(try row.decode(PostgresJSON<Settings>.self, "settings").value == settings)
        }
    }

    @Test(
        "A numeric decodes as its digits, as a whole number and as a Double",
        arguments: ["0", "-12.50", "10000", "99990001.0001", "0.00012", "123456789012345678", "1e20"])
    func numerics(text: String) async throws {
        try await withClient { client in
            let row = try #require(
                try await client.query(
                    "SELECT \(text)::numeric AS n, (\(text)::numeric)::text AS t", deadline: .generous
                ).first)
            #expect(try row.decode(String.self, "n") == row.decode(String.self, "t"))
            #expect(try row.decode(Double.self, "n") == Double(text))
        }
    }

    @Test("A value that is not what it is decoded as is an error that names column and type")
    func decodingErrors() async throws {
        try await withClient { client in
            let row = try #require(
                try await client.query("SELECT 'x' AS name, NULL::int8 AS n, 70000 AS big", deadline: .generous).first)
            #expect(throws: PostgresError.self) { try row.decode(UUID.self, "name") }
            #expect(throws: PostgresError.self) { try row.decode(Int.self, "n") }
            #expect(throws: PostgresError.self) { try row.decode(Int16.self, "big") }
            let error = #expect(throws: PostgresError.self) { try row.decode(Int.self, "absent") }
            #expect(error?.kind == .decoding(column: "absent", type: "Int"))
        }
    }

    @Test("Fragments compose, and their parameters are numbered anew")
    func fragments() async throws {
        try await withClient { client in
            let conditions: [SQL] = ["n > \(2)", "n < \(6)", "n <> \(4)"]
            let query: SQL = """
                SELECT n FROM generate_series(1, \(9)) AS n WHERE \(SQL(joining: conditions, separator: " AND ")) ORDER BY n
                """
            #expect(query.text.contains("n > $2 AND n < $3 AND n <> $4"))
            let numbers = try await client.query(query + " LIMIT \(2)", deadline: .generous)
            #expect(try numbers.column("n", as: Int.self) == [3, 5])
        }
    }

    @Test("What looks like SQL in a parameter stays a parameter")
    func injection() async throws {
        try await withClient { client in
            let input = "'; DROP TABLE users; --"
            let echo = try await client.query("SELECT \(input)::text AS v", deadline: .generous)
            #expect(try echo.first?.decode("v") == input)
        }
    }

    @Test("A NUL character is refused before anything is sent, and the connection stays usable")
    func nulCharacter() async throws {
        try await withClient { client in
            let error = await #expect(throws: PostgresError.self) {
                try await client.query("SELECT \(1), \("a\0b")::text", deadline: .generous)
            }
            #expect(error?.kind == .invalidParameter(position: 2))
            try await client.ping(deadline: .generous)
            #expect(client.connectionCounts.connections == 1)
        }
    }

    @Test("A server error carries its SQLSTATE and constraint, and its description no value")
    func serverErrors() async throws {
        try await withClient { client in
            try await client.query("CREATE TABLE t (email text CONSTRAINT t_email_key UNIQUE)", deadline: .generous)
            try await client.query("INSERT INTO t VALUES (\("secret@example.org"))", deadline: .generous)
            let error = await #expect(throws: PostgresError.self) {
                try await client.query("INSERT INTO t VALUES (\("secret@example.org"))", deadline: .generous)
            }
            #expect(error?.isUniqueViolation == true)
            #expect(error?.constraint == "t_email_key")
            #expect(error?.isUnavailable == false)
            #expect(error?.description.contains("secret") == false)
        }
    }

    @Test("A statement survives a change of the table that it was prepared for")
    func replanning() async throws {
        try await withClient({ $0.poolSize = 1 }) { client in
            try await client.query("CREATE TABLE t (a int8)", deadline: .generous)
            try await client.query("INSERT INTO t VALUES (1)", deadline: .generous)
            #expect(try await client.query("SELECT * FROM t", deadline: .generous).first?.columns == ["a"])
            try await client.query("ALTER TABLE t ADD COLUMN b text", deadline: .generous)
            #expect(try await client.query("SELECT * FROM t", deadline: .generous).first?.columns == ["a", "b"])
        }
    }

    @Test(
        "More different statements than the cache holds all work, and the server keeps no more of them than the cache")
    func cacheEviction() async throws {
        try await withClient({
            $0.poolSize = 1
            $0.statementCacheSize = 4
        }) { client in
            let spaces: [SQL] = ["SELECT 1", "SELECT  1", "SELECT   1", "SELECT 1 ", "SELECT 1  ", " SELECT 1"]
            for _ in 0..<3 {
                for statement in spaces { try await client.query(statement, deadline: .generous) }
            }
            let kept = try await client.query("SELECT count(*) AS n FROM pg_prepared_statements", deadline: .generous)
            #expect(try kept.first?.decode(Int.self, "n") == 4)
        }
    }
}
