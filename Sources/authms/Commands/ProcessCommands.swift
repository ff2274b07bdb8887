import ArgumentParser
import LocalStack

/// What all commands that do something to one process of the running stack share.
struct ProcessName: ParsableArguments {
    @Argument(
        help: "The process, as `authms status` names it: identity, postgres-identity, rabbitmq …",
        completion: .custom { _, _, _ in ProcessName.all })
    var name: String

    /// For shells that complete a command: services with their replicas, and what they need.
    static var all: [String] {
        let replicas = (try? Local.replicas(asked: nil)) ?? 1
        return ServiceRole.allCases.flatMap { role in (1...replicas).map { role.unitName(replica: $0) } }
            + ServiceRole.withDatabase.map { "postgres-\($0.rawValue)" } + ["redis", "rabbitmq"]
    }

    func perform(_ action: StackSupervisor.Action) async throws {
        try await Self.perform(action, on: name, ControlClient(layout: try Local.layout()))
    }

    /// Does it and says what it leads to.
    static func perform(_ action: StackSupervisor.Action, on name: String, _ client: ControlClient) async throws {
        let before = try await client.status()
        // Of a name that nothing has the supervisor says so.
        try await client.perform(action, on: name)
        Local.say(before[name].map { action.outcome(for: $0) } ?? "Done.")
    }
}

struct Stop: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Stops one process of the running suite in order, until `authms start`.")
    @OptionGroup var process: ProcessName
    func run() async throws { try await process.perform(.stop) }
}

struct Start: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Starts a process that was stopped.")
    @OptionGroup var process: ProcessName
    func run() async throws { try await process.perform(.start) }
}

struct Kill: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Ends a process with SIGKILL, as a crash would; the supervisor starts it again.")
    @OptionGroup var process: ProcessName
    func run() async throws { try await process.perform(.kill) }
}

struct Pause: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Stops a process with SIGSTOP: it keeps its connections and answers nobody.")
    @OptionGroup var process: ProcessName
    func run() async throws { try await process.perform(.pause) }
}

struct Continue: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Lets a paused process go on.")
    @OptionGroup var process: ProcessName
    func run() async throws { try await process.perform(.continue) }
}
