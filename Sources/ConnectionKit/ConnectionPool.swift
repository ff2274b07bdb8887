package import Logging
import Synchronization

/// A bounded pool of connections: runs `PoolStateMachine` under a lock, so that leasing an idle connection costs no
/// suspension.
///
/// The pool owns the tasks that open connections; `close()` cancels and awaits them. A connection is closed by being
/// dropped.
package final class ConnectionPool<Connection: AnyObject & Sendable>: Sendable {
    /// A connection until it is released, with a number that no other lease of the process has.
    package struct Lease: Sendable {
        package let connection: Connection
        package let number: UInt64
        /// How long the connection had been idle; zero when it came from another caller or is new.
        package let idleFor: Duration
        fileprivate let id: PoolStateMachine.ConnectionID
    }

    private typealias Continuation = UnsafeContinuation<Result<Lease, PoolError>, Never>

    private struct State: Sendable {
        var machine: PoolStateMachine
        var connections: [PoolStateMachine.ConnectionID: Connection] = [:]
        var waiters: [PoolStateMachine.WaiterID: Continuation] = [:]
        var openings: [PoolStateMachine.ConnectionID: Task<Void, Never>] = [:]
        var timer: Task<Void, Never>?
        var drains: [UnsafeContinuation<Void, Never>] = []
        var lastFailure: (any Error)?
        var lastNumber: UInt64 = 0

        mutating func number() -> UInt64 {
            lastNumber += 1
            return lastNumber
        }
    }

    /// What has to be done outside of the lock.
    private enum Effect: Sendable {
        case answer(Continuation, Result<Lease, PoolError>)
        case drop(Connection)
        case drained(UnsafeContinuation<Void, Never>)
    }

    private let state: Mutex<State>
    private let clock: PoolClock
    private let logger: Logger
    private let open: @Sendable () async throws -> Connection

    /// - Parameter open: opens a connection within a time of its own, and ends early when its task is cancelled.
    package init(
        configuration: PoolConfiguration, clock: PoolClock = .system, logger: Logger,
        open: @escaping @Sendable () async throws -> Connection
    ) {
        state = Mutex(State(machine: PoolStateMachine(configuration: configuration)))
        self.clock = clock
        self.logger = logger
        self.open = open
    }

    /// Whether the last attempt to connect succeeded, or none was made, and the pool is not closed.
    package var isAvailable: Bool { state.withLock { $0.machine.isAvailable } }

    /// How many connections exist, and how many of these are idle.
    package var counts: (connections: Int, idle: Int) {
        state.withLock { ($0.machine.connectionCount, $0.machine.idleCount) }
    }

    // MARK: Callers

    /// Leases a connection: at once when one is idle, else after those who came before.
    package func lease(deadline: Deadline) async throws(PoolError) -> Lease {
        let immediate = state.withLock { state -> Result<Lease, PoolError>? in
            guard state.machine.idleCount > 0 else { return nil }
            let waiter = state.number()
            return immediateAnswer(
                state.machine.acquire(waiter, deadline: deadline.instant, now: clock.now()), waiter, &state)
        }
        if let immediate { return try immediate.get() }
        return try await queue(deadline: deadline).get()
    }

    private func queue(deadline: Deadline) async -> Result<Lease, PoolError> {
        let waiter = state.withLock { $0.number() }
        return await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                perform { state in
                    if Task.isCancelled { return [.answer(continuation, .failure(.cancelled))] }
                    let acquisition = state.machine.acquire(waiter, deadline: deadline.instant, now: clock.now())
                    if let answer = immediateAnswer(acquisition, waiter, &state) {
                        return [.answer(continuation, answer)]
                    }
                    state.waiters[waiter] = continuation
                    guard case .waiting(let actions) = acquisition else { return [] }
                    return effects(actions, &state)
                }
            }
        } onCancel: {
            perform { state in effects(state.machine.cancel(waiter), &state) }
        }
    }

    private func immediateAnswer(
        _ acquisition: PoolStateMachine.Acquisition, _ number: UInt64, _ state: inout State
    ) -> Result<Lease, PoolError>? {
        switch acquisition {
        case .leased(let id, let idleFor):
            guard let connection = state.connections[id] else { return .failure(.unavailable(nil)) }
            return .success(Lease(connection: connection, number: number, idleFor: idleFor, id: id))
        case .refused(let refusal):
            return .failure(error(refusal, state))
        case .waiting:
            return nil
        }
    }

    /// Gives a connection back. Callable from any thread; the next waiter gets it at once.
    package func release(_ lease: Lease, reusable: Bool) {
        perform { state in
            effects(state.machine.release(lease.id, reusable: reusable, now: clock.now()), &state)
        }
    }

    // MARK: The pool's life

    /// Keeps one connection ready from now on, and reconnects without waiting for a caller.
    package func maintain() {
        perform { state in effects(state.machine.maintain(now: clock.now()), &state) }
    }

    /// Admits nobody any more, and returns when the last connection in use has been released, or at the deadline.
    package func drain(until deadline: Deadline) async {
        let timeout = Task { [clock] in
            try? await clock.sleep(deadline.instant)
            self.endDrain()
        }
        defer { timeout.cancel() }
        await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                perform { state in
                    state.drains.append(continuation)
                    if Task.isCancelled { return effects([.drained], &state) }
                    return effects(state.machine.drain(), &state)
                }
            }
        } onCancel: {
            endDrain()
        }
    }

    private func endDrain() {
        perform { state in effects([.drained], &state) }
    }

    /// Closes what is idle, refuses who waits, cancels attempts to connect and waits until these have ended.
    package func close() async {
        let openings = state.withLock { Array($0.openings.values) }
        perform { state in
            state.timer?.cancel()
            state.timer = nil
            return effects(state.machine.close(), &state)
        }
        for opening in openings { opening.cancel() }
        for opening in openings { await opening.value }
    }

    private func finishOpening(_ id: PoolStateMachine.ConnectionID, _ result: Result<Connection, any Error>) {
        let now = clock.now()
        perform { state in
            state.openings[id] = nil
            let wasAvailable = state.machine.isAvailable
            let actions: [PoolStateMachine.Action]
            switch result {
            case .success(let connection):
                state.connections[id] = connection
                actions = state.machine.opened(id, now: now)
                if !wasAvailable, state.machine.isAvailable { logger.notice("the server is available again") }
                state.lastFailure = nil
            case .failure(let error):
                state.lastFailure = error
                actions = state.machine.openingFailed(id, now: now)
                if wasAvailable, !state.machine.isAvailable {
                    logger.warning("the server is not available", metadata: ["reason": "\(error)"])
                }
            }
            return effects(actions, &state)
        }
    }

    // MARK: Running the machine

    private func perform(_ transition: (inout State) -> [Effect]) {
        let effects = state.withLock { transition(&$0) }
        for effect in effects {
            switch effect {
            case .answer(let continuation, let result): continuation.resume(returning: result)
            case .drained(let continuation): continuation.resume()
            case .drop: break
            }
        }
    }

    private func effects(_ actions: [PoolStateMachine.Action], _ state: inout State) -> [Effect] {
        var effects: [Effect] = []
        for action in actions {
            switch action {
            case .open(let id):
                state.openings[id] = Task { [open, weak self] in
                    do {
                        let connection = try await open()
                        self?.finishOpening(id, .success(connection))
                    } catch {
                        self?.finishOpening(id, .failure(error))
                    }
                }
            case .close(let id):
                if let connection = state.connections.removeValue(forKey: id) { effects.append(.drop(connection)) }
            case .serve(let waiter, let id):
                guard let continuation = state.waiters.removeValue(forKey: waiter),
                    let connection = state.connections[id]
                else { continue }
                let lease = Lease(connection: connection, number: waiter, idleFor: .zero, id: id)
                effects.append(.answer(continuation, .success(lease)))
            case .fail(let waiter, let refusal):
                guard let continuation = state.waiters.removeValue(forKey: waiter) else { continue }
                effects.append(.answer(continuation, .failure(error(refusal, state))))
            case .arm(let time):
                state.timer?.cancel()
                state.timer = Task { [clock, weak self] in
                    guard (try? await clock.sleep(time)) != nil else { return }
                    self?.timerFired()
                }
            case .drained:
                effects += state.drains.map { .drained($0) }
                state.drains.removeAll()
            }
        }
        return effects
    }

    private func timerFired() {
        perform { state in effects(state.machine.timerFired(now: clock.now()), &state) }
    }

    private func error(_ refusal: PoolStateMachine.Refusal, _ state: State) -> PoolError {
        switch refusal {
        case .unavailable: .unavailable(state.lastFailure)
        case .exhausted: .exhausted
        case .deadlineExceeded: .deadlineExceeded
        case .cancelled: .cancelled
        case .closed: .closed
        }
    }
}
