import ConnectionKit
import Foundation
import Postgres
import Testing

@Suite("Streams")
struct StreamTests {
    private struct Enough: Error {}

    /// The resident memory of this process in MiB.
    private func residentMemory() throws -> Int {
        let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
        let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") })
        return try #require(Int(line.filter(\.isNumber))) / 1_024
    }

    @Test("A result of a million rows streams in constant memory")
    func millionRows() async throws {
        try await withClient { client in
            // Held whole, this result takes more than 150 MiB, half of that once half of it is there, and never less again.
            // The process is that of all tests, three of which run at once: their peaks pass, so the least is looked at.
            try await client.withConnection(deadline: .after(.seconds(100))) { connection in
                var sum = 0
                var count = 0
                var before = 0
                var least = Int.max
                try await connection.stream(
                    "SELECT n, repeat('x', 100) AS filler FROM generate_series(1, 1000000) AS n"
                ) { row in
                    count += 1
                    sum += try row.decode(Int.self, "n")
                    if count == 10_000 { before = try residentMemory() }
                    if count >= 500_000, count % 10_000 == 0 { least = min(least, try residentMemory()) }
                }
                #expect(count == 1_000_000)
                #expect(sum == 500_000_500_000)
                #expect(least - before < 40)
                // The connection is as usable as before.
                try await connection.query("SELECT 1")
            }
        }
    }

    @Test("A stream that is left early takes its connection with it, and nothing else")
    func leftEarly() async throws {
        try await withClient { client in
            await #expect(throws: Enough.self) {
                try await client.withConnection(deadline: .generous) { connection in
                    try await connection.stream("SELECT * FROM generate_series(1, 1000000)") { _ in throw Enough() }
                }
            }
            #expect(client.connectionCounts.connections == 0)
            try await client.ping(deadline: .generous)
        }
    }

    @Test("An error in the middle of a stream reaches the caller")
    func errorInside() async throws {
        try await withClient { client in
            var rows = 0
            let error = await #expect(throws: PostgresError.self) {
                try await client.withConnection(deadline: .generous) { connection in
                    try await connection.stream("SELECT 1 / (5000 - n) FROM generate_series(1, 10000) AS n") { _ in
                        rows += 1
                    }
                }
            }
            #expect(error?.sqlState == "22012")
            #expect(rows <= 4_999)
            try await client.ping(deadline: .generous)
        }
    }

    @Test("A connection that streams refuses another statement")
    func busy() async throws {
        try await withClient { client in
            let error = await #expect(throws: PostgresError.self) {
                try await client.withConnection(deadline: .generous) { connection in
                    try await connection.stream("SELECT * FROM generate_series(1, 10000)") { _ in
                        try await connection.query("SELECT 1")
                    }
                }
            }
            #expect(error?.kind == .protocolViolation)
        }
    }
}
