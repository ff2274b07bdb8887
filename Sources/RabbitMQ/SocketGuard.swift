import ConnectionKit
import Foundation
import Synchronization

/// Frees a connection's thread that is stuck in the library.
///
/// rabbitmq-c's writes wait without limit for a peer that takes nothing but still sends heartbeats, as a broker under an
/// alarm does before it says that it blocks. The guard holds a duplicate of the socket's descriptor, so it may shut the
/// connection down from another thread, whatever becomes of the original; the library's call then ends with an error.
final class SocketGuard: Sendable {
    private struct State {
        var duplicate: CInt = -1
        var lastVisit = ContinuousClock.now
    }

    private let state = Mutex(State())

    deinit { release() }

    /// A new connection stands.
    func watch(_ socket: CInt) {
        let copy = dup(socket)
        let old = state.withLock { state in
            defer { state = State(duplicate: copy) }
            return state.duplicate
        }
        if old >= 0 { close(old) }
    }

    /// The connection is gone.
    func release() {
        let old = state.withLock { state in
            defer { state.duplicate = -1 }
            return state.duplicate
        }
        if old >= 0 { close(old) }
    }

    /// The thread is between two calls of the library.
    func visit() {
        state.withLock { $0.lastVisit = .now }
    }

    /// Whether the thread has been in one call, or one rest, for longer than it ever plans to.
    func isStuck(after limit: Duration) -> Bool {
        state.withLock { $0.duplicate >= 0 && ContinuousClock.now > $0.lastVisit.advanced(by: limit) }
    }

    /// Ends the connection under the thread.
    func sever() {
        state.withLock { state in
            guard state.duplicate >= 0 else { return }
            _ = shutdown(state.duplicate, CInt(SHUT_RDWR))
        }
    }
}
