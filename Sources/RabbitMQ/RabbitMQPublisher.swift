package import ConnectionKit
package import Logging
import ServiceLifecycle
import Synchronization

/// Publishes with confirms over one connection; all callers share it.
///
/// Works before `run()` too: the first publication connects. While the broker is away a publication fails at once with
/// `unavailable`, and the connection comes back by itself, with jittered backoff.
package final class RabbitMQPublisher: Service, Sendable {
    /// How many messages may wait for their confirms in this process; more fail with `queueFull`.
    package static let maximumPending = 20_000

    /// The connection's thread, started at the first need and ended by `close()`.
    private struct Line {
        let mailbox: PublisherMailbox
        let task: Task<Void, Never>
    }

    private enum State {
        case idle
        case started(Line)
        case closed
    }

    package let configuration: RabbitMQConfiguration
    private let topology: Topology?
    private let logger: Logger
    private let state = Mutex(State.idle)

    /// - Parameter topology: declared after each connect.
    package init(configuration: RabbitMQConfiguration, topology: Topology? = nil, logger: Logger) {
        self.configuration = configuration
        self.topology = topology
        self.logger = logger
    }

    deinit {
        if case .started(let line) = state.withLock({ $0 }) { line.mailbox.close() }
    }

    /// Holds the connection open until graceful shutdown or cancellation; what waits is confirmed first, within 5 s.
    package func run() async throws {
        _ = try line()
        try? await gracefulShutdown()
        await close()
    }

    /// Takes no more messages, waits for the confirms of those that are under way (at most 5 s), and closes.
    package func close() async {
        let line = state.withLock { state -> Line? in
            defer { state = .closed }
            if case .started(let line) = state { return line }
            return nil
        }
        guard let line else { return }
        line.mailbox.close()
        await withDiscardingTaskGroup { group in
            group.addTask {
                guard (try? await Task.sleep(for: .seconds(7))) != nil else { return }
                line.mailbox.guardian.sever()
            }
            await line.task.value
            group.cancelAll()
        }
    }

    /// Whether a connection stands at this moment and the broker does not block its publishers.
    package var isAvailable: Bool {
        guard case .started(let line) = state.withLock({ $0 }) else { return false }
        return line.mailbox.phase == .connected && !line.mailbox.guardian.isStuck(after: stuckAfter)
    }

    /// Publishes the messages in order and returns when the broker has taken responsibility for all of them.
    ///
    /// - Throws: `RabbitMQError`. Its `failures` name each message that was not confirmed and why; all others are safe.
    package func publish(_ batch: [AMQPMessage], deadline: Deadline) async throws(RabbitMQError) {
        guard !batch.isEmpty else { return }
        let publication = Publication(batch)
        let late = "the deadline passed before \(configuration) confirmed"
        guard !deadline.hasPassed else { throw publication.error(.deadlineExceeded, late) }
        let line = try line()
        let answer: Result<Void, RabbitMQError> = await withTaskCancellationHandler {
            do throws(RabbitMQError) {
                try line.mailbox.append(publication)
            } catch {
                return .failure(error)
            }
            // The thread may be held up in the library; the caller is not, hence the timer.
            return await publication.slot.value(until: deadline) { publication.error(.deadlineExceeded, late) }
        } onCancel: {
            publication.fail(.cancelled, "the task was cancelled before the confirm")
        }
        if case .failure(let error) = answer, error.kind == .deadlineExceeded,
            line.mailbox.guardian.isStuck(after: stuckAfter)
        {
            line.mailbox.guardian.sever()
        }
        try answer.get()
    }

    /// The thread looks up at least four times in a heartbeat's interval, unless the library holds it.
    private var stuckAfter: Duration { max(.seconds(2), configuration.heartbeat) }

    private func line() throws(RabbitMQError) -> Line {
        try state.withLock { state throws(RabbitMQError) -> Line in
            switch state {
            case .started(let line):
                return line
            case .closed:
                throw RabbitMQError(.unavailable, "the publisher of \(configuration) is closed")
            case .idle:
                let line = try startLine()
                state = .started(line)
                return line
            }
        }
    }

    private func startLine() throws(RabbitMQError) -> Line {
        do {
            let mailbox = try PublisherMailbox(limit: Self.maximumPending, broker: configuration.description)
            let connection = PublisherConnection(
                configuration: configuration, topology: topology, mailbox: mailbox, logger: logger)
            return Line(mailbox: mailbox, task: Task { await connection.run() })
        } catch {
            throw RabbitMQError(.unavailable, "no connection to \(configuration): \(error)")
        }
    }
}
