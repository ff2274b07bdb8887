package import ConnectionKit
import Foundation

/// A suite of a command's own, beside whatever else runs: started from this program in a directory and on ports of its own,
/// stopped and forgotten afterwards.
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
        try process.run()
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
    }

    /// Removes what it made.
    package static func forget(_ layout: StackLayout) {
        try? FileManager.default.removeItem(atPath: layout.root)
    }
}
