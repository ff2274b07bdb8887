package import ConnectionKit
package import Logging
import ServiceLifecycle
import Synchronization

/// A client of one Redis server: all callers share its connections, and what waits goes out in one write.
///
/// Commands work before `run()` too: the first one opens the connection. While the server is away a command fails at
/// once with `unavailable`, and the connection comes back by itself, with jittered backoff.
package final class RedisClient: Service, Sendable {
    /// A connection's thread, started at the first need and ended by `close()`.
    private struct Line {
        let mailbox: RedisMailbox
        let task: Task<Void, Never>
    }

    private enum State {
        case idle
        case started([Line])
        case closed
    }

    package let configuration: RedisConfiguration
    private let logger: Logger
    private let state = Mutex(State.idle)
    private let turn = Atomic(0)

    package init(configuration: RedisConfiguration, logger: Logger) {
        self.configuration = configuration
        self.logger = logger
    }

    deinit {
        guard case .started(let lines) = state.withLock({ $0 }) else { return }
        for line in lines { line.mailbox.close() }
    }

    /// Holds the connections open until graceful shutdown or cancellation; then answers what waits and closes.
    package func run() async throws {
        _ = try lines()
        try? await gracefulShutdown()
        await close()
    }

    /// Takes no more commands, waits for the answers to those that are under way, and closes the connections.
    package func close() async {
        let lines = state.withLock { state -> [Line] in
            defer { state = .closed }
            if case .started(let lines) = state { return lines }
            return []
        }
        for line in lines { line.mailbox.close() }
        for line in lines { await line.task.value }
    }

    /// Whether a connection stands at this moment. `false` before the first command or `run()`.
    package var isAvailable: Bool {
        guard case .started(let lines) = state.withLock({ $0 }) else { return false }
        return lines.contains { $0.mailbox.phase == .connected }
    }

    /// Sends one command, the name first, and waits for its answer.
    ///
    /// - Throws: `RedisError`; `server` when the answer is an error.
    package func send(_ command: [RedisArgument], deadline: Deadline) async throws(RedisError) -> RedisValue {
        precondition(!command.isEmpty, "a command has a name")
        guard !deadline.hasPassed else { throw .deadlineExceeded }
        let lines = try lines()
        let line = lines[turn.add(1, ordering: .relaxed).oldValue % lines.count]
        let request = RedisRequest(command: command, deadline: deadline)
        let answer = await withTaskCancellationHandler {
            do throws(RedisError) {
                // Until the first attempt ends its thread may be busy in name resolution, hence the timer.
                return try line.mailbox.append(request) == .connected
                    ? await request.slot.value()
                    : await request.slot.value(until: deadline) { .deadlineExceeded }
            } catch {
                return .failure(error)
            }
        } onCancel: {
            request.slot.resolve(.failure(.cancelled))
        }
        return try answer.get()
    }

    /// Sends one command, the name first, and waits for its answer.
    @discardableResult
    package func send(_ command: RedisArgument..., deadline: Deadline) async throws(RedisError) -> RedisValue {
        try await send(command, deadline: deadline)
    }

    private func lines() throws(RedisError) -> [Line] {
        let started = try state.withLock { state throws(RedisError) -> [Line] in
            switch state {
            case .started(let lines):
                return lines
            case .closed:
                throw RedisError(.unavailable(outcomeUnknown: false), "the client of \(configuration) is closed")
            case .idle:
                var lines: [Line] = []
                for _ in 0..<max(1, configuration.connectionCount) { lines.append(try startLine()) }
                state = .started(lines)
                return lines
            }
        }
        return started
    }

    private func startLine() throws(RedisError) -> Line {
        do {
            let mailbox = try RedisMailbox(limit: configuration.maximumPending, server: configuration.description)
            let connection = RedisConnection(configuration: configuration, mailbox: mailbox, logger: logger)
            return Line(mailbox: mailbox, task: Task { await connection.run() })
        } catch {
            throw RedisError(.unavailable(outcomeUnknown: false), "no connection to \(configuration): \(error)")
        }
    }
}
