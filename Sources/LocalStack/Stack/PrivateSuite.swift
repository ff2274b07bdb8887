package import ConnectionKit
import Foundation
import Synchronization

/// A suite of a command's own, beside whatever else runs: started from this program in a directory and on ports of its own,
/// stopped and forgotten afterwards; at a SIGINT or SIGTERM to this program, too.
package struct PrivateSuite {
    package let layout: StackLayout
    private let process: Process

    private init(layout: StackLayout, process: Process) {
        self.layout = layout
        self.process = process
    }

    /// Makes the directory that the suite will lie in.
    ///
    /// - Parameter portOffset: added to every port of the suite.
    package static func makePlace(
        named name: String, repository: String, portOffset: Int
    ) throws(LocalStackError) -> StackLayout {
        let home = FileManager.default.temporaryDirectory.appending(path: "authms-\(name)-\(UUID().uuidString)")
        let root = home.path(percentEncoded: false)
        try Files.makeDirectory(root, permissions: 0o755)
        return StackLayout(repository: repository, root: root, portOffset: portOffset)
    }

    /// Starts it there and waits until all of it is ready.
    ///
    /// - Throws: `LocalStackError.failedToStart` with the suite's last words when it ends or is not ready in time.
    package static func start(
        in layout: StackLayout, executable: String, arguments: [String] = [], environment: [String: String] = [:],
        deadline: Deadline = .after(.seconds(120))
    ) async throws -> PrivateSuite {
        let words = "\(layout.root)/up.log"
        _ = FileManager.default.createFile(atPath: words, contents: nil)
        let process = Process()
        process.executableURL = URL(filePath: executable)
        process.arguments = ["up"] + arguments
        process.currentDirectoryURL = URL(filePath: layout.repository)
        process.environment = ProcessInfo.processInfo.environment
            .merging(environment) { $1 }
            .merging(["AUTHMS_HOME": layout.root, "AUTHMS_PORT_OFFSET": "\(layout.portOffset)"]) { $1 }
        process.standardInput = FileHandle.nullDevice
        let log = try FileHandle(forWritingTo: URL(filePath: words))
        process.standardOutput = log
        process.standardError = log
        // Foundation gives the process a group of its own, so that a terminal's Ctrl-C does not reach it.
        LivePrivateSuites.stopOnSignals()
        try process.run()
        LivePrivateSuites.add(process, layout)
        let suite = PrivateSuite(layout: layout, process: process)
        do {
            while process.isRunning, !deadline.hasPassed {
                if let status = try? await ControlClient(layout: layout).status(), status.isReady { return suite }
                try await Task.sleep(for: .milliseconds(250))
            }
        } catch {
            await suite.stop()
            throw error
        }
        let said = Diagnosis.lastWords(ofLog: words, lines: 3)
        await suite.stop()
        throw LocalStackError(.failedToStart, "The suite of its own did not become ready: \(said)")
    }

    /// Stops it in order.
    package func stop() async {
        if process.isRunning { process.terminate() }
        let deadline = Deadline.after(.seconds(60))
        // In a task of its own: whoever is cancelled still waits for the end.
        await Task { [process] in
            while process.isRunning, !deadline.hasPassed { try? await Task.sleep(for: .milliseconds(100)) }
        }.value
        LivePrivateSuites.remove(process)
        await LivePrivateSuites.waitForEndIfSignalled()
    }

    /// Removes what it made.
    package static func forget(_ layout: StackLayout) {
        // One after the other: two that remove the same files stumble over each other, and both leave some.
        removing.withLock { _ in try? FileManager.default.removeItem(atPath: layout.root) }
    }

    private static let removing = Mutex<Void>(())
}
