import CLibPQ
import Foundation
import Synchronization

/// Tells servers to cancel what they run for a connection that is being given up.
///
/// libpq 15 can only do so blocking (`PQcancel`), and against a stalled server that may take for ever. So each
/// cancellation has a short-lived thread, and there are at most `limit` of these: beyond, the server finds out by itself
/// that its client is gone (`client_connection_check_interval`).
final class PostgresCanceller: Sendable {
    private let limit = 4
    private let running = Mutex(0)

    /// Returns at once; `native` may be finished right afterwards.
    func cancel(_ native: OpaquePointer) {
        guard PQtransactionStatus(native) == PQTRANS_ACTIVE, let request = PQgetCancel(native) else { return }
        let isAdmitted = running.withLock { running in
            guard running < limit else { return false }
            running += 1
            return true
        }
        guard isAdmitted else { return PQfreeCancel(request) }
        let job = CancelRequest(native: request)
        let thread = Thread {
            job.send()
            self.running.withLock { $0 -= 1 }
        }
        thread.name = "pg-cancel"
        thread.stackSize = 128 * 1_024
        thread.start()
    }
}

/// A `PGcancel` on its way to the thread that sends and frees it.
private struct CancelRequest: @unchecked Sendable {
    let native: OpaquePointer

    func send() {
        var message = [CChar](repeating: 0, count: 256)
        _ = PQcancel(native, &message, CInt(message.count))
        PQfreeCancel(native)
    }
}
