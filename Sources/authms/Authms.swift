import ArgumentParser
import Foundation

/// One program, many roles: the services, the private stack around them, and the operator's commands.
@main
struct Authms: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "authms",
        abstract:
            "An identity suite: services, the private stack to run them on this machine, and the operator's tools.",
        discussion: Failure.codes,
        subcommands: [
            Serve.self, Health.self, Up.self, Down.self, Status.self, Env.self, Stop.self, Start.self, Restart.self,
            Kill.self, Pause.self, Continue.self, Migrate.self, Keys.self, Config.self, AuditCommand.self,
            DeadLetters.self, Consumers.self, MailCommand.self, Warmup.self, BootstrapCommand.self, Users.self,
            Tenants.self, Roles.self, Sessions.self, MFA.self, Demo.self, Drill.self, BenchCommand.self,
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
        } catch {
            guard let failure = Failure(error) else { exit(withError: error) }
            FileHandle.standardError.write(Data("authms: \(failure.sentence)\n".utf8))
            Foundation.exit(failure.code)
        }
    }
}
