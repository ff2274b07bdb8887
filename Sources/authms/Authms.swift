import ArgumentParser
import Foundation
import LocalStack
import MicroMiddleware

/// One program, many roles: the services, the private stack around them, and the operator's commands.
@main
struct Authms: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "authms",
        abstract:
            "An identity suite: services, the private stack to run them on this machine, and the operator's tools.",
        subcommands: [
            Serve.self, Health.self, Up.self, Down.self, Status.self, Env.self, Stop.self, Start.self, Restart.self,
            Kill.self, Pause.self, Continue.self, Migrate.self, Keys.self, Config.self, AuditCommand.self,
            DeadLetters.self, Consumers.self, Warmup.self, Demo.self, Drill.self, BenchCommand.self,
        ])

    /// Errors of ours are one sentence and an exit code of their own; ArgumentParser explains the others.
    static func main() async {
        do {
            var command = try parseAsRoot()
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch let error as LocalStackError {
            fail(error.description, code: error.kind.rawValue)
        } catch let error as ConfigurationError {
            fail(error.description, code: 78)
        } catch {
            exit(withError: error)
        }
    }

    private static func fail(_ sentence: String, code: Int32) -> Never {
        FileHandle.standardError.write(Data("authms: \(sentence)\n".utf8))
        Foundation.exit(code)
    }
}
