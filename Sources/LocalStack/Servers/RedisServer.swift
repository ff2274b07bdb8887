package import ConnectionKit
import Foundation

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

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
        try await setDamagedSnapshotAside(deadline: deadline)
        var lines = [
            "bind 127.0.0.1", "port \(port)", "protected-mode yes", "dir \(directory)", "daemonize no",
            "save 60 1", "appendonly no", "maxmemory 64mb", "maxmemory-policy volatile-lru", "databases 16",
            "tcp-backlog 128", "io-threads 1", "stop-writes-on-bgsave-error no",
        ]
        if let password { lines.append("requirepass \(password)") }
        try Files.write(lines.map { $0 + "\n" }.joined(), to: "\(directory)/redis.conf")
    }

    /// Redis refuses to start on a snapshot that it cannot read. Nothing in it cannot be rebuilt, so one that its own
    /// checker finds damaged is kept beside, under another name.
    private func setDamagedSnapshotAside(deadline: Deadline) async throws(LocalStackError) {
        let snapshot = "\(directory)/dump.rdb"
        guard Files.exists(snapshot) else { return }
        let outcome = try await Command.run(
            ProcessSpecification(
                name: "redis-check-rdb",
                executable: try ProgramFinder.find("redis-check-rdb", package: "redis-tools"), arguments: [snapshot],
                environment: ProgramFinder.baseEnvironment(home: directory), workingDirectory: directory, logFile: ""),
            deadline: deadline.capped(at: .seconds(20)))
        guard !outcome.exit.isSuccess else { return }
        let aside = snapshot + ".damaged"
        try Files.remove(aside)
        guard rename(snapshot, aside) == 0 else {
            throw LocalStackError(.storage, "The damaged snapshot \(snapshot) cannot be set aside; remove it.")
        }
    }

    package func specification() throws(LocalStackError) -> ProcessSpecification {
        ProcessSpecification(
            name: name, executable: try ProgramFinder.find("redis-server", package: "redis-server"),
            arguments: ["\(directory)/redis.conf"], environment: ProgramFinder.baseEnvironment(home: directory),
            workingDirectory: directory, logFile: logFile)
    }

    package var url: String { url(portDistance: 0) }

    /// The same through something that listens so much above the server's port.
    func url(portDistance: Int) -> String {
        "redis://\(password.map { "default:\($0)@" } ?? "")127.0.0.1:\(port + portDistance)/0"
    }
}
