package import Logging
package import ServiceLifecycle

extension ServiceGroup {
    /// Runs until SIGTERM or SIGINT, then shuts down gracefully; a second signal ends the process at once.
    ///
    /// - Parameter timeout: How long after the first signal the process ends itself.
    package func runUntilSignalled(timeout: Duration, logger: Logger) async throws {
        let signals = TerminationSignals(timeout: timeout, logger: logger)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask {
                await signals.first()
                await self.triggerGracefulShutdown()
            }
            defer { tasks.cancelAll() }
            try await run()
        }
        signals.finish()
    }
}
