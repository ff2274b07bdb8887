package import ConnectionKit
package import LocalStack

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// A real server that a test started, and the ways to treat it badly.
package actor TestServer<Server: LocalServer> {
    package nonisolated let server: Server
    private var process: ManagedProcess?
    private let probe = Probe()

    /// Starts nothing yet.
    package init(_ server: Server) {
        self.server = server
    }

    /// Makes the server's directory and starts it; returns once it answers.
    package func start(deadline: Deadline = .after(.seconds(120))) async throws {
        precondition(process == nil, "\(server.name) runs already")
        try await server.prepare(deadline: deadline)
        try await launch(deadline: deadline)
    }

    /// Stops it in order and waits for its end.
    package func stop() async {
        guard let process else { return }
        self.process = nil
        await process.stop(grace: server.stopTimeout)
    }

    /// Ends it with SIGKILL, as a crash would, and waits until it is gone with all its children.
    package func kill() async {
        guard let process else { return }
        self.process = nil
        let children = ProcessTable.descendants(of: process.processIdentifier)
        process.signal(SIGKILL)
        for child in children { _ = Self.send(SIGKILL, to: child) }
        _ = await process.exit()
    }

    /// Stops it and all its children with SIGSTOP: connections stay open, nothing answers.
    package func pause() {
        process?.signalTree(SIGSTOP)
    }

    /// Lets it go on after `pause()`.
    package func `continue`() {
        process?.signalTree(SIGCONT)
    }

    /// Starts it again, after `stop()` or `kill()`, or in place of the one that runs; returns once it answers.
    package func restart(deadline: Deadline = .after(.seconds(120))) async throws {
        await stop()
        try await launch(deadline: deadline)
    }

    /// The id of the server's process, for tests that look at `/proc`.
    package var processIdentifier: Int32? { process?.processIdentifier }

    private func launch(deadline: Deadline) async throws {
        let process = try await ManagedProcess.launch(server.specification())
        self.process = process
        try await server.waitUntilReady(process, probe: probe, deadline: deadline)
    }

    private static func send(_ signal: Int32, to process: Int32) -> Int32 {
        #if canImport(Glibc)
            Glibc.kill(process, signal)
        #else
            Darwin.kill(process, signal)
        #endif
    }
}
