package import ConnectionKit

/// A server of other people's making that the stack runs with a directory and a port of its own.
package protocol LocalServer: Sendable {
    /// The name in status lines, of the process and of its log.
    var name: String { get }
    /// Where it listens on 127.0.0.1.
    var port: Int { get }
    /// What makes up its first answer.
    var question: Probe.Question { get }
    /// How long it may take from its start to its first answer.
    var startTimeout: Duration { get }
    /// How long it may take to end in order.
    var stopTimeout: Duration { get }

    /// Makes its directories and configuration; quick and harmless where they exist.
    func prepare(deadline: Deadline) async throws(LocalStackError)
    /// What to run. Valid after `prepare`.
    func specification() throws(LocalStackError) -> ProcessSpecification
    /// Called when it has answered after a start: what its first start made is whole.
    func becameReady()
}

extension LocalServer {
    package func becameReady() {}

    /// Waits until the process answers on its port.
    ///
    /// - Throws: `LocalStackError` with the last words of its log when it ends before, or does not answer in time.
    package func waitUntilReady(
        _ process: ManagedProcess, probe: Probe, deadline: Deadline
    ) async throws(LocalStackError) {
        while true {
            if await probe.answers(question, port: port, deadline: deadline.capped(at: .seconds(1))) {
                return becameReady()
            }
            if let exit = process.exitIfEnded {
                let log = process.specification.logFile
                let words = Diagnosis.tail(of: log)
                let remedy = Diagnosis.remedy(for: words, directory: process.specification.workingDirectory)
                throw LocalStackError(
                    Diagnosis.kind(of: words),
                    "\(name) \(exit) while starting. \(remedy ?? Diagnosis.lastWords(words, lines: 3)) (log: \(log))")
            }
            if deadline.hasPassed {
                throw LocalStackError(
                    .failedToStart,
                    "\(name) does not answer on port \(port) in time (log: \(process.specification.logFile)).")
            }
            do {
                try await Task.sleep(for: .milliseconds(25))
            } catch {
                throw LocalStackError(.failedToStart, "\(name): starting was cancelled.")
            }
        }
    }
}
