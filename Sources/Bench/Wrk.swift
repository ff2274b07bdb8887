import Foundation
import Subprocess

/// A run of `wrk`, the load generator: bounded in connections and in time.
package struct Wrk: Sendable {
    package let url: String
    package let connections: Int
    package let threads: Int
    package let seconds: Int
    /// A Lua script that makes the requests; `Wrk.report` is appended to it.
    package let script: String
    /// What the script's `init` gets.
    package let arguments: [String]

    package init(
        url: String, connections: Int, threads: Int = 1, seconds: Int, script: String = "", arguments: [String] = []
    ) {
        self.url = url
        self.connections = connections
        self.threads = threads
        self.seconds = seconds
        self.script = script
        self.arguments = arguments
    }

    /// What a run measured.
    package struct Report: Decodable, Sendable {
        /// Answers received.
        package let requests: Int
        package let seconds: Double
        package let p50_ms: Double
        package let p99_ms: Double
        /// Answers with a status over 399.
        package let refused: Int
        /// Connections that failed, reads, writes and time-outs.
        package let failed: Int

        package var perSecond: Double { Double(requests - refused) / seconds }
    }

    /// Runs it to its end.
    ///
    /// - Throws: `BenchFailure` when `wrk` is missing, fails or prints no report.
    package func run() async throws -> Report {
        let file = FileManager.default.temporaryDirectory.appending(path: "authms-wrk-\(UUID().uuidString).lua")
        try Data((script + Self.report).utf8).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        let options = ["-t", "\(threads)", "-c", "\(connections)", "-d", "\(seconds)s", "--timeout", "10s"]
        let output = try await Program.output(
            of: .wrk, options + ["-s", file.path, url, "--"] + arguments)
        guard let line = output.split(separator: "\n").last(where: { $0.hasPrefix("{") }) else {
            throw BenchFailure(description: "wrk printed no report: \(output.suffix(400))")
        }
        return try JSONDecoder().decode(Report.self, from: Data(line.utf8))
    }

    private static let report = #"""

        function done(summary, latency, requests)
            local e = summary.errors
            io.write(string.format(
                '{"requests":%d,"seconds":%f,"p50_ms":%f,"p99_ms":%f,"refused":%d,"failed":%d}\n',
                summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
                e.status, e.connect + e.read + e.write + e.timeout))
        end
        """#
}
