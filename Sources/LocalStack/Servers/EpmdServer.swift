package import ConnectionKit

/// Erlang's port mapper, run by us and for our broker alone, so that it ends with us; the broker would otherwise start one
/// that nobody stops.
package struct EpmdServer: LocalServer {
    package let name: String
    package let directory: String
    package let port: Int
    package let logFile: String

    package let question = Probe.Question.connects
    package let startTimeout = Duration.seconds(10)
    package let stopTimeout = Duration.seconds(3)

    package init(name: String, directory: String, port: Int, logFile: String) {
        self.name = name
        self.directory = directory
        self.port = port
        self.logFile = logFile
    }

    package func prepare(deadline: Deadline) async throws(LocalStackError) {
        try Files.makeDirectory(directory)
    }

    package func specification() throws(LocalStackError) -> ProcessSpecification {
        var specification = ProcessSpecification(
            name: name, executable: try ProgramFinder.find("epmd", package: "rabbitmq-server"),
            arguments: ["-address", "127.0.0.1", "-port", "\(port)"],
            environment: ProgramFinder.baseEnvironment(home: directory), workingDirectory: directory, logFile: logFile)
        // While a broker is registered epmd ignores SIGTERM's politer cousins; it has no state to lose.
        specification.stopSignal = 9
        return specification
    }
}
