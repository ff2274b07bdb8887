package import Foundation
import Synchronization

/// The refresh tokens whose exchange this process asked its database for and had no answer, or one so late that whoever
/// asked has gone: nobody knows whether their owners have the successors, or hold them still.
///
/// Bounded: two halves, of which the older is dropped when the younger is full.
package final class UnansweredRefreshes: Sendable {
    private struct State {
        var young: [RefreshClaim: ClosedRange<Date>] = [:]
        var old: [RefreshClaim: ClosedRange<Date>] = [:]
    }

    private let halfCapacity: Int
    private let state = Mutex(State())

    package init(capacity: Int = 8_192) {
        halfCapacity = max(1, capacity / 2)
    }

    /// Keeps that an exchange was asked for at a moment, and not answered.
    package func note(_ token: RefreshClaim, at now: Date) {
        state.withLock { state in
            let before = state.young[token] ?? state.old[token]
            if state.young.count >= halfCapacity, state.young[token] == nil {
                state.old = state.young
                state.young = [:]
            }
            state.young[token] = before.map { min($0.lowerBound, now)...max($0.upperBound, now) } ?? now...now
        }
    }

    /// When it was asked for, from the first time to the last, by a database's less exact clock; nil where every exchange
    /// was answered.
    package func moments(of token: RefreshClaim) -> ClosedRange<Date>? {
        let moments = state.withLock { $0.young[token] ?? $0.old[token] }
        return moments.map { ($0.lowerBound - 0.01)...($0.upperBound + 0.01) }
    }

    package func forget(_ token: RefreshClaim) {
        state.withLock { state in
            state.young[token] = nil
            state.old[token] = nil
        }
    }
}
