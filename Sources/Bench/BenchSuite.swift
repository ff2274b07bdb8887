import ConnectionKit
import Foundation
package import LocalStack

/// A suite of the bench's own, beside whatever else runs: started from this program, stopped and forgotten afterwards.
package struct BenchSuite {
    /// Added to every port of the suite.
    private static let portOffset = 4_000

    package let layout: StackLayout
    private let process: Process

    /// Starts it and waits until all of it is ready, for two minutes at most.
    ///
    /// - Throws: `BenchFailure` with the suite's last words when it ends or does not become ready.
    package static func start(executable: String, repository: String) async throws -> BenchSuite {
        let home = FileManager.default.temporaryDirectory.appending(path: "authms-bench-suite-\(UUID().uuidString)")
        try FileManager.default.createDirectory(
            at: home, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o755])
        let layout = StackLayout(
            repository: repository, root: home.path(percentEncoded: false), portOffset: portOffset)
        let words = home.appending(path: "up.log")
        _ = FileManager.default.createFile(atPath: words.path(percentEncoded: false), contents: nil)
        let process = Process()
        process.executableURL = URL(filePath: executable)
        process.arguments = ["up"]
        process.currentDirectoryURL = URL(filePath: repository)
        process.environment = ProcessInfo.processInfo.environment.merging(
            ["AUTHMS_HOME": layout.root, "AUTHMS_PORT_OFFSET": "\(portOffset)"]) { $1 }
        process.standardInput = FileHandle.nullDevice
        let log = try FileHandle(forWritingTo: words)
        process.standardOutput = log
        process.standardError = log
        try process.run()
        let suite = BenchSuite(layout: layout, process: process)
        let deadline = Deadline.after(.seconds(120))
        while process.isRunning, !deadline.hasPassed {
            if let status = try? await ControlClient(layout: layout).status(), status.isReady { return suite }
            try await Task.sleep(for: .milliseconds(250))
        }
        let said = (try? String(contentsOf: words, encoding: .utf8)) ?? ""
        await suite.stop()
        throw BenchFailure(description: "The suite to measure did not become ready: \(said.suffix(1_000))")
    }

    /// What the measurements need to know of it.
    ///
    /// - Parameter sessionDatabase: libpq's URL of the session service's database.
    package func target(sessionDatabase: String) -> BenchTarget {
        BenchTarget(gateway: layout.url(of: .gateway), sessionDatabase: sessionDatabase)
    }

    /// Stops it in order and removes what it made.
    package func stop() async {
        if process.isRunning { process.terminate() }
        let deadline = Deadline.after(.seconds(40))
        while process.isRunning, !deadline.hasPassed { try? await Task.sleep(for: .milliseconds(100)) }
        try? FileManager.default.removeItem(atPath: layout.root)
    }
}
