import Synchronization

/// A place for exactly one answer: whoever waits gets it once, whoever comes second with an answer is told so.
///
/// A connection's loop, a deadline and a cancellation may all try to resolve the same slot; the first one wins, and the
/// waiter returns at once, whatever the connection's thread is busy with.
package final class ReplySlot<Success: Sendable, Failure: Error>: Sendable {
    private enum State {
        case empty
        case waiting(CheckedContinuation<Result<Success, Failure>, Never>)
        case resolved(Result<Success, Failure>)
        case delivered
    }

    private let state = Mutex(State.empty)

    package init() {}

    /// Gives the answer.
    ///
    /// - Returns: `false` when the slot had one already; this one is dropped then.
    @discardableResult
    package func resolve(_ result: Result<Success, Failure>) -> Bool {
        let (isFirst, waiter) = state.withLock {
            state -> (Bool, CheckedContinuation<Result<Success, Failure>, Never>?) in
            switch state {
            case .empty:
                state = .resolved(result)
                return (true, nil)
            case .waiting(let continuation):
                state = .delivered
                return (true, continuation)
            case .resolved, .delivered:
                return (false, nil)
            }
        }
        waiter?.resume(returning: result)
        return isFirst
    }

    /// Whether an answer has been given.
    package var isResolved: Bool {
        state.withLock { state in
            switch state {
            case .empty, .waiting: false
            case .resolved, .delivered: true
            }
        }
    }

    /// Waits for the answer. To be called once.
    package func value() async -> Result<Success, Failure> {
        await withCheckedContinuation { continuation in
            let answer = state.withLock { state -> Result<Success, Failure>? in
                switch state {
                case .empty:
                    state = .waiting(continuation)
                    return nil
                case .resolved(let result):
                    state = .delivered
                    return result
                case .waiting, .delivered:
                    preconditionFailure("a reply slot has one waiter")
                }
            }
            if let answer { continuation.resume(returning: answer) }
        }
    }

    /// Waits for the answer, but no longer than until `deadline`: then `timeout` answers in its place.
    package func value(
        until deadline: Deadline, timeout: @escaping @Sendable () -> Failure
    ) async -> Result<Success, Failure> {
        await withDiscardingTaskGroup { group in
            group.addTask {
                try? await Task.sleep(until: deadline.instant, clock: .continuous)
                if deadline.hasPassed { self.resolve(.failure(timeout())) }
            }
            let answer = await self.value()
            group.cancelAll()
            return answer
        }
    }
}
