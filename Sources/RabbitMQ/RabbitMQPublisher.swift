package import ConnectionKit
package import Logging
import ServiceLifecycle

/// Publishes with confirms over one connection; all callers share it.
///
/// Works before `run()` too: the first publication connects. While the broker is away a publication fails at once with
/// `unavailable`, and the connection comes back by itself, with jittered backoff.
package final class RabbitMQPublisher: Service, Sendable {
    package let configuration: RabbitMQConfiguration

    /// - Parameter topology: declared after each connect.
    package init(configuration: RabbitMQConfiguration, topology: Topology? = nil, logger: Logger) {
        self.configuration = configuration
    }

    /// Holds the connection open until graceful shutdown or cancellation; what waits is confirmed first, within 5 s.
    package func run() async throws {
        preconditionFailure("not built yet")
    }

    /// Closes the connection; what waits fails. For tools and tests; `run()` does it at its end.
    package func close() async {
        preconditionFailure("not built yet")
    }

    /// Whether a connection stands at this moment and the broker does not block its publishers.
    package var isAvailable: Bool { false }

    /// Publishes the messages in order and returns when the broker has taken responsibility for all of them.
    ///
    /// - Throws: `RabbitMQError`. Its `failures` name each message that was not confirmed and why; all others are safe.
    package func publish(_ batch: [AMQPMessage], deadline: Deadline) async throws(RabbitMQError) {
        preconditionFailure("not built yet")
    }
}
