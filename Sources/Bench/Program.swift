import Subprocess

/// Programs that a measurement compares with: pgbench, wrk, openssl, haproxy.
enum Program {
    /// What a program prints; at most 1 MiB.
    ///
    /// - Throws: `BenchFailure` when it cannot be started or ends with another code than 0.
    static func output(
        of name: String, _ arguments: [String], environment: [String: String] = [:]
    ) async throws -> String {
        var inherited = Environment.inherit
        for (key, value) in environment {
            inherited = inherited.updating([Environment.Key(stringLiteral: key): value])
        }
        let result = try await Subprocess.run(
            .name(name), arguments: Arguments(arguments), environment: inherited,
            output: .string(limit: 1 << 20), error: .string(limit: 1 << 20))
        guard result.terminationStatus.isSuccess else {
            let said = result.standardError + result.standardOutput
            throw BenchFailure(description: "\(name) \(arguments.joined(separator: " ")): \(said.suffix(600))")
        }
        return result.standardOutput
    }
}
