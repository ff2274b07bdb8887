internal import Synchronization

/// Wakes one waiting loop. A signal given while nobody waits is kept, and several are one.
package final class WakeSignal: Sendable {
    private struct State {
        var isSignalled = false
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())

    package init() {}

    /// Costs a lock and nothing else when the loop is busy.
    package func wake() {
        let waiter = state.withLock { state in
            guard let waiter = state.waiter.take() else {
                state.isSignalled = true
                return nil as CheckedContinuation<Void, Never>?
            }
            return waiter
        }
        waiter?.resume()
    }

    /// Returns at the signal, after `limit`, or when the task is cancelled. One waits at a time.
    package func wait(atMost limit: Duration) async {
        if state.withLock({ state in
            defer { state.isSignalled = false }
            return state.isSignalled
        }) {
            return
        }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.next() }
            group.addTask { try? await Task.sleep(for: limit) }
            await group.next()
            group.cancelAll()
        }
    }

    private func next() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    if state.isSignalled || Task.isCancelled {
                        state.isSignalled = false
                        return true
                    }
                    state.waiter = continuation
                    return false
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            let waiter = state.withLock { $0.waiter.take() }
            waiter?.resume()
        }
    }
}
