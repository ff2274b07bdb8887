import CLibPQ
import ConnectionKit
import Logging
import Synchronization

/// One connection to a server: libpq's non-blocking API on a thread of its own.
///
/// Every method runs to its end on that thread, so statements never interleave. All waiting is in `poll(2)`, for the
/// socket, the deadline and the doorbell that a cancelled task rings. Once a wait has ended early the protocol is out of
/// step: the server is told to cancel and the connection is finished for good.
actor PostgresLink {
    /// What the pool has to know when the connection comes back.
    enum Condition: UInt8, AtomicRepresentable {
        case clean
        /// In a transaction, or in the middle of a stream.
        case dirty
        case finished
    }

    nonisolated let executor: ThreadExecutor
    nonisolated let doorbell: Doorbell
    /// Set at the end of every call: readable without a hop while nobody uses the connection.
    nonisolated let condition = Atomic<Condition>(.finished)
    /// The lease that may use the connection; 0 when it is in the pool.
    nonisolated let currentLease = Atomic<UInt64>(0)
    /// The socket, to look at while nobody uses the connection; -1 when finished.
    nonisolated let socket = Atomic<CInt>(-1)

    let configuration: PostgresConfiguration
    let canceller: PostgresCanceller
    let handle = PostgresHandle()
    var statements: StatementCache
    var parameters = ParameterBuffer()
    /// Those of a statement that is sent together with another.
    var firstParameters = ParameterBuffer()
    var stream: PreparedStatement?
    private let socketWait: SocketWait

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    init(configuration: PostgresConfiguration, canceller: PostgresCanceller) throws(SystemFailure) {
        self.configuration = configuration
        self.canceller = canceller
        executor = ThreadExecutor(name: "pg-connection")
        doorbell = try Doorbell()
        socketWait = SocketWait(doorbell: doorbell)
        statements = StatementCache(capacity: configuration.statementCacheSize)
    }

    /// Runs `body` so that cancelling the task wakes the connection's thread.
    nonisolated func withCancellation<Value: Sendable>(
        _ body: (PostgresLink) async throws(PostgresError) -> Value
    ) async throws(PostgresError) -> Value {
        let result: Result<Value, PostgresError> = await withTaskCancellationHandler {
            do throws(PostgresError) {
                return .success(try await body(self))
            } catch {
                return .failure(error)
            }
        } onCancel: {
            doorbell.ring()
        }
        return try result.get()
    }

    // MARK: Guards

    /// The native connection, if this lease may use it and nothing else is under way.
    func ready(for lease: UInt64, deadline: Deadline) throws(PostgresError) -> OpaquePointer {
        guard currentLease.load(ordering: .acquiring) == lease else {
            throw PostgresError(.protocolViolation, detail: "a connection was used after its lease had ended")
        }
        guard stream == nil else {
            throw PostgresError(.protocolViolation, detail: "a connection was used while it streamed a result")
        }
        return try ready(deadline: deadline)
    }

    func ready(deadline: Deadline) throws(PostgresError) -> OpaquePointer {
        guard let native = handle.native else {
            throw PostgresError(
                .connectionLost(outcomeUnknown: false), detail: "the connection ended before this statement")
        }
        if Task.isCancelled { throw PostgresError(.cancelled) }
        if deadline.hasPassed { throw PostgresError(.deadlineExceeded) }
        return native
    }

    // MARK: Waiting and ending

    /// Blocks until the socket is ready for one of the interests.
    func wait(
        for interest: SocketWait.Interest, _ native: OpaquePointer, until deadline: Deadline,
        heedsCancellation: Bool = true
    ) throws(PostgresError) -> SocketWait.Interest {
        while true {
            let outcome: SocketWait.Outcome
            do {
                outcome = try socketWait.wait(for: interest, on: PQsocket(native), until: deadline)
            } catch {
                throw PostgresError(.connectionLost(outcomeUnknown: false), detail: error.description)
            }
            switch outcome {
            case .ready(let ready): return ready
            case .timedOut: throw PostgresError(.deadlineExceeded)
            case .doorbell:
                // The ring may be an old one, for a call that ended just before it.
                if heedsCancellation, Task.isCancelled { throw PostgresError(.cancelled) }
            }
        }
    }

    /// Tells the pool how the connection stands after a call.
    func settle() {
        guard let native = handle.native, PQstatus(native) == CONNECTION_OK else { return finish() }
        let isClean = PQtransactionStatus(native) == PQTRANS_IDLE && stream == nil
        condition.store(isClean ? .clean : .dirty, ordering: .releasing)
    }

    /// Ends the connection; what the server may still be doing for it is cancelled.
    func finish(cancelling: Bool = false) {
        if cancelling, let native = handle.native { canceller.cancel(native) }
        stream = nil
        condition.store(.finished, ordering: .releasing)
        socket.store(-1, ordering: .releasing)
        handle.finish()
    }
}

/// Owns a `PGconn`.
final class PostgresHandle {
    private(set) var native: OpaquePointer?

    func adopt(_ native: OpaquePointer) {
        finish()
        self.native = native
    }

    /// Says goodbye as far as that is possible without blocking, and closes the socket.
    func finish() {
        guard let native else { return }
        self.native = nil
        PQfinish(native)
    }

    deinit {
        finish()
    }
}
