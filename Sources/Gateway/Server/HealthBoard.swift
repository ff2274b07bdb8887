internal import Synchronization

/// What the last probe of each service said.
package final class HealthBoard: Sendable {
    /// The state of one service.
    package enum State: String, Sendable {
        /// Not probed yet.
        case unknown
        /// Ready.
        case healthy
        /// Answers, but says that it is not ready.
        case degraded
        /// Does not answer.
        case unhealthy
    }

    private let names: [String]
    private let states: Mutex<[State]>

    package init(names: [String]) {
        self.names = names
        states = Mutex(Array(repeating: .unknown, count: names.count))
    }

    package func set(_ state: State, at index: Int) {
        states.withLock { $0[index] = state }
    }

    package subscript(index: Int) -> State {
        states.withLock { $0[index] }
    }

    /// The whole: healthy when all services are, unhealthy when none answers, degraded in between.
    package var summary: State {
        let states = states.withLock { $0 }
        if states.allSatisfy({ $0 == .healthy }) { return .healthy }
        return states.allSatisfy { $0 == .unhealthy } ? .unhealthy : .degraded
    }

    /// The body of `/health`.
    package func json(timestamp: String) -> String {
        let states = states.withLock { $0 }
        let dependencies = zip(names, states).map { "\"\($0)\":{\"status\":\"\($1.rawValue)\"}" }
        return "{\"status\":\"\(summary.rawValue)\",\"service\":\"gateway\",\"dependencies\":{"
            + dependencies.joined(separator: ",") + "},\"timestamp\":\"\(timestamp)\"}"
    }
}
