import ConnectionKit

/// Runs `rabbitmqctl` against a private node: what AMQP has no words for, users above all. Each call takes a second or two.
package struct BrokerControl: Sendable {
    private let server: RabbitMQServer

    package init(_ server: RabbitMQServer) {
        self.server = server
    }

    /// - Parameter secret: handed over on standard input, since arguments are everybody's to read.
    /// - Returns: what it prints.
    /// - Throws: `LocalStackError` when it fails or takes a minute.
    @discardableResult
    package func run(_ arguments: [String], secret: String? = nil) async throws -> String {
        let command = ProcessSpecification(
            name: "rabbitmqctl", executable: "\(try RabbitMQServer.programDirectory())/rabbitmqctl",
            arguments: ["--node", server.nodeName, "--quiet"] + arguments, environment: try server.environment(),
            workingDirectory: server.directory, logFile: "")
        return try await Command.succeed(command, input: secret.map { $0 + "\n" } ?? "", deadline: .after(.seconds(60)))
    }

    /// The names of the broker's users.
    package func users() async throws -> [String] {
        try await run(["list_users", "--no-table-headers"]).split(separator: "\n").compactMap { line in
            line.split(separator: "\t").first.map(String.init)
        }
    }
}
