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
    /// By service and replica.
    private let states: Mutex<[[State]]>

    /// - Parameter replicas: how many each of the services has, all of them at least one.
    package init(names: [String], replicas: [Int]) {
        self.names = names
        states = Mutex(replicas.map { Array(repeating: .unknown, count: $0) })
    }

    package func set(_ state: State, at index: Int, replica: Int) {
        states.withLock { $0[index][replica] = state }
    }

    /// The state of a service: that of its replicas where they agree, and degraded where they do not.
    package subscript(index: Int) -> State {
        states.withLock { Self.common($0[index]) }
    }

    private static func common(_ replicas: [State]) -> State {
        guard let first = replicas.first else { return .unknown }
        return replicas.allSatisfy { $0 == first } ? first : .degraded
    }

    /// The whole: healthy when all services are, unhealthy when none answers, degraded in between.
    package var summary: State {
        let states = states.withLock { $0.map(Self.common) }
        if states.allSatisfy({ $0 == .healthy }) { return .healthy }
        return states.allSatisfy { $0 == .unhealthy } ? .unhealthy : .degraded
    }

    /// The body of `/health`.
    package func json(timestamp: String) -> String {
        let states = states.withLock { $0 }
        let dependencies = zip(names, states).map { name, replicas in
            let ready = replicas.count { $0 == .healthy }
            let share = replicas.count > 1 ? ",\"replicas\":\(replicas.count),\"ready\":\(ready)" : ""
            return "\"\(name)\":{\"status\":\"\(Self.common(replicas).rawValue)\"\(share)}"
        }
        return "{\"status\":\"\(summary.rawValue)\",\"service\":\"gateway\",\"dependencies\":{"
            + dependencies.joined(separator: ",") + "},\"timestamp\":\"\(timestamp)\"}"
    }
}
