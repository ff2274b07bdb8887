package import ConnectionKit
package import Logging
import ServiceLifecycle

/// A client of one Redis server: all callers share its connections, and what waits goes out in one write.
///
/// Commands work before `run()` too: the first one opens the connection. While the server is away a command fails at
/// once with `unavailable`, and the connection comes back by itself, with jittered backoff.
package final class RedisClient: Service, Sendable {
    package let configuration: RedisConfiguration

    package init(configuration: RedisConfiguration, logger: Logger) {
        self.configuration = configuration
    }

    /// Holds the connections open until graceful shutdown or cancellation; then answers what waits and closes.
    package func run() async throws {
        preconditionFailure("not built yet")
    }

    /// Closes the connections; what waits fails. For tools and tests; `run()` does it at its end.
    package func close() async {
        preconditionFailure("not built yet")
    }

    /// Whether a connection stands at this moment. `false` before the first command or `run()`.
    package var isAvailable: Bool { false }

    /// Sends one command, the name first, and waits for its answer.
    ///
    /// - Throws: `RedisError`; `server` when the answer is an error.
    package func send(_ command: [RedisArgument], deadline: Deadline) async throws(RedisError) -> RedisValue {
        preconditionFailure("not built yet")
    }

    /// Sends one command, the name first, and waits for its answer.
    @discardableResult
    package func send(_ command: RedisArgument..., deadline: Deadline) async throws(RedisError) -> RedisValue {
        try await send(command, deadline: deadline)
    }
}
