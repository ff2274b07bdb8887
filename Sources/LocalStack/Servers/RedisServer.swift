package import ConnectionKit
import Foundation

/// A private Redis: TCP on 127.0.0.1, a snapshot now and then, at most 64 MiB of data; past that, what would expire anyway
/// (the cache) makes room, the least recently used first, and revocations stay.
package struct RedisServer: LocalServer {
    package let name: String
    package let directory: String
    package let port: Int
    package let logFile: String
    /// Nil for a server that asks for none.
    package let password: String?

    package let question = Probe.Question.redis
    package let startTimeout = Duration.seconds(20)
    package let stopTimeout = Duration.seconds(5)

    package init(name: String, directory: String, port: Int, logFile: String, password: String?) {
        self.name = name
        self.directory = directory
        self.port = port
        self.logFile = logFile
        self.password = password
    }

    package func prepare(deadline: Deadline) async throws(LocalStackError) {
        try Files.makeDirectory(directory)
        var lines = [
            "bind 127.0.0.1", "port \(port)", "protected-mode yes", "dir \(directory)", "daemonize no",
            "save 60 1", "appendonly no", "maxmemory 64mb", "maxmemory-policy volatile-lru", "databases 16",
            "tcp-backlog 128", "io-threads 1", "stop-writes-on-bgsave-error no",
        ]
        if let password { lines.append("requirepass \(password)") }
        try Files.write(lines.map { $0 + "\n" }.joined(), to: "\(directory)/redis.conf")
    }

    package func specification() throws(LocalStackError) -> ProcessSpecification {
        ProcessSpecification(
            name: name, executable: try ProgramFinder.find("redis-server", package: "redis-server"),
            arguments: ["\(directory)/redis.conf"], environment: ProgramFinder.baseEnvironment(home: directory),
            workingDirectory: directory, logFile: logFile)
    }

    package var url: String { "redis://\(password.map { "default:\($0)@" } ?? "")127.0.0.1:\(port)/0" }
}
