package import ConnectionKit
import Foundation
import Subprocess
import SystemPackage

/// A program that runs to its end and whose words are read: `initdb`, `psql`, `openssl`.
package enum Command {
    /// What the program said.
    package struct Outcome: Sendable {
        package let exit: ProcessExit
        package let output: String
        package let errors: String
    }

    /// Runs the program and waits for it.
    ///
    /// - Parameters:
    ///   - specification: its `logFile` is not used.
    ///   - input: what it reads on standard input.
    ///   - deadline: when it is ended by force.
    /// - Throws: `LocalStackError` when it cannot be started or does not end in time.
    package static func run(
        _ specification: ProcessSpecification, input: String = "", deadline: Deadline
    ) async throws(LocalStackError) -> Outcome {
        let command = try specification.commandLine()
        var environment: [Subprocess.Environment.Key: String] = [:]
        for (name, value) in specification.environment {
            environment[Subprocess.Environment.Key(stringLiteral: name)] = value
        }
        let configuration = Subprocess.Configuration(
            executable: .path(FilePath(command.executable)), arguments: Arguments(command.arguments),
            environment: .custom(environment), workingDirectory: FilePath(specification.workingDirectory))
        do {
            return try await withDeadline(deadline) {
                let result = try await Subprocess.run(
                    configuration, input: .string(input), output: .string(limit: 1 << 20),
                    error: .string(limit: 1 << 20))
                let exit: ProcessExit =
                    switch result.terminationStatus {
                    case .exited(let code): .exited(code: code)
                    case .signaled(let signal): .killed(signal: signal)
                    }
                return Outcome(exit: exit, output: result.standardOutput, errors: result.standardError)
            }
        } catch is DeadlineExceeded {
            throw LocalStackError(.failedToStart, "\(specification.name) took longer than it may.")
        } catch {
            throw LocalStackError(
                .failedToStart, "\(specification.name) (\(specification.executable)) could not be run: \(error).")
        }
    }

    /// As `run`, and a failure of the program is an error that ends with the program's own last words.
    @discardableResult
    package static func succeed(
        _ specification: ProcessSpecification, input: String = "", deadline: Deadline
    ) async throws(LocalStackError) -> String {
        let outcome = try await run(specification, input: input, deadline: deadline)
        guard outcome.exit.isSuccess else {
            // The reason comes on standard error, whatever was said before it.
            let words = outcome.output + outcome.errors
            throw LocalStackError(
                Diagnosis.kind(of: words),
                "\(specification.name) \(outcome.exit): \(Diagnosis.lastWords(words, lines: 3))")
        }
        return outcome.output
    }
}
