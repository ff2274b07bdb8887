import Subprocess
import SystemPackage

/// Programs that a measurement compares with: pgbench, wrk, openssl, haproxy.
enum Program {
    /// What a program prints; at most 1 MiB.
    ///
    /// - Throws: `BenchFailure` when it cannot be started or ends with another code than 0.
    static func output(
        of program: BenchPrograms, _ arguments: [String], environment: [String: String] = [:]
    ) async throws -> String {
        var inherited = Environment.inherit
        for (key, value) in environment {
            inherited = inherited.updating([Environment.Key(stringLiteral: key): value])
        }
        let result = try await Subprocess.run(
            .path(FilePath(try program.path)), arguments: Arguments(arguments), environment: inherited,
            output: .string(limit: 1 << 20), error: .string(limit: 1 << 20))
        guard result.terminationStatus.isSuccess else {
            let said = result.standardError + result.standardOutput
            let line = "\(program.rawValue) \(arguments.joined(separator: " "))"
            throw BenchFailure(description: "\(line): \(said.suffix(600))")
        }
        return result.standardOutput
    }
}
