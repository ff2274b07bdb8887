import ConnectionKit
package import Foundation
import LocalStack
import Logging
import Postgres

/// How long a database's statements took by its own clock: from its log, in which each is told of (`log_min_duration_statement`).
///
/// What the service that asked waits for besides, its turn on a crowded processor above all, is no part of it.
package struct DatabaseLog: Sendable {
    /// One statement: when it ended, in seconds since a beginning, and how long it was parsed, bound and executed together.
    private var statements: [(at: Double, took_ms: Double)] = []

    /// Has a server tell of every statement from now on.
    static func begin(_ server: PostgresServer) async throws {
        let database = PostgresClient(
            configuration: try PostgresConfiguration(url: server.ownSuperuserURL), logger: Logger(label: "bench"))
        for statement: SQL in [
            "ALTER SYSTEM SET log_min_duration_statement = 0", "ALTER SYSTEM SET log_parameter_max_length = 0",
            "SELECT pg_reload_conf()",
        ] {
            try await database.query(statement, deadline: .after(.seconds(5)))
        }
        await database.close()
    }

    /// - Parameter begin: what the times are counted from.
    package init(path: String, since begin: Date) throws {
        try self.init(text: [UInt8](try Data(contentsOf: URL(filePath: path))), since: begin)
    }

    /// - Parameter text: lines that begin as ``PostgresServer`` has it, with `%m [%p] `, in UTC; what does not is skipped.
    package init(text: [UInt8], since begin: Date) throws {
        // 2026-11-27 03:42:21.512 UTC [4711] LOG:  duration: 0.123 ms  execute s1: SELECT …
        var unfinished: [Substring: Double] = [:]
        for line in text.split(separator: UInt8(ascii: "\n")) where line.first == UInt8(ascii: "2") {
            // What is looked at is at the beginning: a statement may be long.
            let words = String(decoding: line.prefix(120), as: UTF8.self).split(separator: " ", maxSplits: 9)
            guard words.count > 8, words[4] == "LOG:", words[5] == "duration:", let took_ms = Double(words[6]),
                let at = try? Self.format.parse("\(words[0])T\(words[1])Z")
            else { continue }
            let process = words[3]
            guard words[8] != "parse", words[8] != "bind" else {
                unfinished[process, default: 0] += took_ms
                continue
            }
            let before_ms = unfinished.removeValue(forKey: process) ?? 0
            statements.append((at.timeIntervalSince(begin), before_ms + took_ms))
        }
    }

    private static let format = Date.ISO8601FormatStyle(includingFractionalSeconds: true)

    /// The 95th percentile of the statements that ended from one time to another, in milliseconds; nil where none did.
    package func p95_ms(from start: Double, to end: Double) -> Double? {
        let times = statements.filter { $0.at >= start && $0.at < end }.map(\.took_ms).sorted()
        return times.isEmpty ? nil : times[(times.count * 95 + 99) / 100 - 1]
    }
}
