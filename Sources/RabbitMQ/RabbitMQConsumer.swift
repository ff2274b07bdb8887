import ConnectionKit
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
    package var queue: ConsumerQueue { options.queue }
    private let options: ConsumerOptions
    private let handler: Handler
    private let desk = ConsumerDesk()
    private let logger: Logger

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
        precondition(prefetch > 0 && batchSize > 0, "a consumer takes at least one delivery")
        self.configuration = configuration
        self.handler = handler
        self.logger = logger
        options = ConsumerOptions(
            queue: queue, prefetch: prefetch, batchSize: min(batchSize, prefetch), batchWindow: batchWindow,
            topology: topology, shutdownTimeout: shutdownTimeout)
    }

    /// Consumes until graceful shutdown or cancellation. On graceful shutdown it cancels the subscription, lets the
    /// handler finish what has been delivered, settles that, and only then closes, so that no delivery count rises.
    package func run() async throws {
        let doorbell = try Doorbell()
        desk.install(doorbell)
        let connection = ConsumerConnection(
            configuration: configuration, options: options, desk: desk, doorbell: doorbell, logger: logger)
        // One batch at a time is on its way: the stream holds no more.
        let (batches, continuation) = AsyncStream<DeliveryBatch>.makeStream()
        await withTaskCancellationHandler {
            await withGracefulShutdownHandler {
                await withDiscardingTaskGroup { group in
                    group.addTask { for await batch in batches { await self.handle(batch) } }
                    await connection.run(continuation)
                    continuation.finish()
                    group.cancelAll()
                }
            } onGracefulShutdown: {
                self.desk.end(.graceful)
            }
        } onCancel: {
            desk.end(.immediate)
        }
    }

    /// Takes no more deliveries from the queue until `resume()`; what has been delivered still reaches the handler.
    package func pause() {
        desk.pause(true)
    }

    /// Takes back a `pause()`.
    package func resume() {
        desk.pause(false)
    }

    /// Whether the queue delivers to this process at this moment, or would but for a `pause()` or a failing handler.
    package var isAvailable: Bool { desk.isReady }

    /// Gives the batch to the handler until it succeeds or the batch is stale.
    private func handle(_ batch: DeliveryBatch) async {
        var backoff = Backoff(base: .milliseconds(100), limit: .seconds(5))
        while !desk.isStale(batch) {
            do {
                let verdicts = try await handler(batch.deliveries)
                precondition(verdicts.count == batch.deliveries.count, "a handler gives one verdict for each delivery")
                desk.settle(batch, verdicts)
                return
            } catch {
                desk.handlerFailed()
                let wait = backoff.next()
                logger.warning(
                    "the handler failed; the batch is kept and given to it again",
                    metadata: [
                        "queue": "\(queue)", "deliveries": "\(batch.deliveries.count)", "reason": "\(error)",
                        "wait": "\(wait)",
                    ])
                guard (try? await Task.sleep(for: wait)) != nil else { break }
            }
        }
        desk.forget()
    }
}
