package import ConnectionKit

/// One of our services as a child process: `authms serve NAME`, configured by environment variables alone.
package struct ServiceProcess: LocalServer {
    package let role: ServiceRole
    /// Which one of several of the role, counted from 1.
    package let replica: Int
    package let port: Int
    package let logFile: String
    private let executable: String
    private let repository: String
    /// What it is configured with.
    package let environment: [String: String]

    package var name: String { role.unitName(replica: replica) }
    package let question = Probe.Question.http(path: "/readyz")
    package let startTimeout = Duration.seconds(60)
    /// A little more than a service gives itself to stop.
    package let stopTimeout = Duration.seconds(28)

    package init(
        role: ServiceRole, replica: Int, port: Int, logFile: String, executable: String, repository: String,
        environment: [String: String]
    ) {
        self.role = role
        self.replica = replica
        self.port = port
        self.logFile = logFile
        self.executable = executable
        self.repository = repository
        self.environment = environment
    }

    package func prepare(deadline: Deadline) async throws(LocalStackError) {}

    package func specification() throws(LocalStackError) -> ProcessSpecification {
        ProcessSpecification(
            name: name, executable: executable, arguments: ["serve", role.rawValue], environment: environment,
            workingDirectory: repository, logFile: logFile)
    }
}
