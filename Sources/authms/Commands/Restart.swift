import ArgumentParser
import ConnectionKit
import LocalStack

struct Restart: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Stops processes in order and starts them again.",
        discussion: """
            With --rolling one process at a time, each of them ready before the next one is stopped: of a suite with two
            replicas of each service (`authms up --replicas 2`) no request fails meanwhile. NAME is then a service, or
            one replica of it; without any, it is all services. Exit code 70 when a process did not end in order or does
            not become ready again.
            """)

    @Flag(help: "One after the other, waiting for each to be ready.")
    var rolling = false

    @Option(help: "With --rolling: how many seconds a process may take to be ready again.")
    var patience = 60

    @Option(help: "With --rolling: how many seconds a process stays ready before the next one is stopped.")
    var settle = 1

    @Argument(
        help: "The processes, as `authms status` names them: identity, identity-2, postgres-identity …",
        completion: .custom { _, _, _ in ProcessName.all })
    var names: [String] = []

    func validate() throws {
        if !rolling, names.isEmpty { throw ValidationError("Name a process, or ask for all services with --rolling.") }
        guard (0...600).contains(settle) else { throw ValidationError("--settle is 0 to 600 seconds.") }
        guard (1...600).contains(patience) else { throw ValidationError("--patience is 1 to 600 seconds.") }
    }

    func run() async throws {
        let client = ControlClient(layout: try Local.layout())
        guard rolling else {
            for name in names { try await ProcessName.perform(.restart, on: name, client) }
            return
        }
        let rolling = RollingRestart(client: client, patience: .seconds(patience), settle: .seconds(settle)) {
            Local.say($0)
        }
        try await rolling.run(names)
    }
}
