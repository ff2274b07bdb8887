internal import Subprocess
internal import SystemPackage

/// What one run of wrk measured.
struct LoadResult {
    var requestsPerSecond: Double
    /// The 99th percentile, in milliseconds.
    var p99Milliseconds: Double
    /// Answers that were not 2xx or 3xx, and socket errors.
    var failures: Int
}

/// wrk, run for a few seconds against one address.
struct LoadGenerator {
    var connections = 32
    var seconds: Int
    var token: String

    func run(url: String) async throws -> LoadResult {
        let arguments = [
            "-t1", "-c\(connections)", "-d\(seconds)s", "--timeout", "5s", "--latency", "-H",
            "Authorization: Bearer \(token)", url,
        ]
        let result = try await Subprocess.run(
            .path(FilePath(try BenchPrograms.wrk.path)), arguments: Arguments(arguments), output: .string(limit: 65_536)
        )
        guard let measured = Self.parse(result.standardOutput) else {
            throw BenchFailure(description: "wrk did not report a rate for \(url): \(result.terminationStatus)")
        }
        return measured
    }

    /// Reads the report of `wrk --latency`.
    static func parse(_ report: String) -> LoadResult? {
        var rate: Double?
        var p99: Double?
        var failures = 0
        for line in report.split(separator: "\n") {
            let words = line.split(separator: " ")
            if line.hasPrefix("Requests/sec:"), words.count > 1 { rate = Double(words[1]) }
            if words.first == "99%", words.count > 1 { p99 = milliseconds(words[1]) }
            if words.first == "Non-2xx", let count = words.last.flatMap({ Int($0) }) { failures += count }
            if words.starts(with: ["Socket", "errors:"]) {
                let numbers = words.compactMap { Int($0.filter { $0 != "," }) }
                failures += numbers.reduce(0, +)
            }
        }
        guard let rate, let p99 else { return nil }
        return LoadResult(requestsPerSecond: rate, p99Milliseconds: p99, failures: failures)
    }

    /// `850.00us`, `1.25ms` or `1.02s`.
    private static func milliseconds(_ text: Substring) -> Double? {
        for (unit, factor) in [("us", 0.001), ("ms", 1.0), ("s", 1_000.0)] where text.hasSuffix(unit) {
            return Double(text.dropLast(unit.count)).map { $0 * factor }
        }
        return nil
    }
}
