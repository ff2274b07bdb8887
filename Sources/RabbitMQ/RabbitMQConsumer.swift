package import Logging
import ServiceLifecycle

/// Reads a queue in batches and settles each delivery as its handler says.
///
/// The handler gets one batch at a time, in the queue's order, and gives one verdict for each delivery. If it throws,
/// nothing is settled: the consumer takes no more from the queue and gives it the same batch again after a growing wait,
/// so that an outage of the handler's database burns no deliveries. If the connection is lost meanwhile, the batch is
/// forgotten, since the queue delivers it again: handlers are idempotent.
package final class RabbitMQConsumer: Service, Sendable {
    /// Gives one verdict for each delivery of the batch, in its order.
    package typealias Handler = @Sendable ([Delivery]) async throws -> [DeliveryVerdict]

    package let configuration: RabbitMQConfiguration
    package let queue: ConsumerQueue

    /// - Parameters:
    ///   - prefetch: how many deliveries may wait unsettled in this process.
    ///   - batchSize: the most deliveries that the handler gets at once; at most `prefetch`.
    ///   - batchWindow: how long the first delivery of a batch waits for others.
    ///   - topology: declared after each connect, before consuming.
    ///   - shutdownTimeout: how long the shutdown waits for the handler to finish what has been delivered.
    package init(
        configuration: RabbitMQConfiguration, queue: ConsumerQueue, prefetch: Int = 500, batchSize: Int = 200,
        batchWindow: Duration = .milliseconds(10), topology: Topology? = nil,
        shutdownTimeout: Duration = .seconds(10), logger: Logger, handler: @escaping Handler
    ) {
        self.configuration = configuration
        self.queue = queue
    }

    /// Consumes until graceful shutdown or cancellation. On graceful shutdown it cancels the subscription, lets the
    /// handler finish what has been delivered, settles that, and only then closes, so that no delivery count rises.
    package func run() async throws {
        preconditionFailure("not built yet")
    }

    /// Takes no more deliveries from the queue until `resume()`; what has been delivered still reaches the handler.
    package func pause() {
        preconditionFailure("not built yet")
    }

    /// Takes back a `pause()`.
    package func resume() {
        preconditionFailure("not built yet")
    }

    /// Whether the queue delivers to this process at this moment, or would but for a `pause()`.
    package var isAvailable: Bool { false }
}
