package import ConnectionKit
package import Logging

/// The operations on exchanges and queues that tools and tests need, over one connection, one at a time.
package actor RabbitMQAdmin {
    package nonisolated let configuration: RabbitMQConfiguration

    /// Connects with the first operation, and again after a failure.
    package init(configuration: RabbitMQConfiguration, logger: Logger) {
        self.configuration = configuration
    }

    /// Closes the connection; the next operation opens it again.
    package func close() {}

    /// Opens the connection where none stands: a check of address, credentials and permissions.
    package func ping(deadline: Deadline) throws(RabbitMQError) { preconditionFailure("not built yet") }

    /// Declares everything in the topology: exchanges, queues, bindings, in this order.
    package func declare(_ topology: Topology, deadline: Deadline) throws(RabbitMQError) {
        preconditionFailure("not built yet")
    }

    /// Binds a queue.
    package func bind(_ binding: Topology.Binding, deadline: Deadline) throws(RabbitMQError) {
        preconditionFailure("not built yet")
    }

    /// Takes a binding back.
    package func unbind(_ binding: Topology.Binding, deadline: Deadline) throws(RabbitMQError) {
        preconditionFailure("not built yet")
    }

    /// How many messages are ready in the queue, and how many consumers it has.
    ///
    /// - Throws: `notFound` when there is no such queue.
    package func inspect(
        queue: String, deadline: Deadline
    ) throws(RabbitMQError) -> (messages: Int, consumers: Int) {
        preconditionFailure("not built yet")
    }

    /// Removes the messages that are ready; how many they were.
    @discardableResult
    package func purge(queue: String, deadline: Deadline) throws(RabbitMQError) -> Int {
        preconditionFailure("not built yet")
    }

    /// Deletes the queue with its messages; how many they were.
    @discardableResult
    package func delete(queue: String, deadline: Deadline) throws(RabbitMQError) -> Int {
        preconditionFailure("not built yet")
    }

    /// Deletes the exchange.
    package func delete(exchange: String, deadline: Deadline) throws(RabbitMQError) {
        preconditionFailure("not built yet")
    }

    /// Fetches one message (`basic.get`), to be settled with `settle`; `nil` when the queue is empty. What is not
    /// settled when the connection closes goes back to the queue.
    package func get(queue: String, deadline: Deadline) throws(RabbitMQError) -> Delivery? {
        preconditionFailure("not built yet")
    }

    /// Settles a message that `get` fetched on this connection.
    package func settle(_ delivery: Delivery, _ verdict: DeliveryVerdict) throws(RabbitMQError) {
        preconditionFailure("not built yet")
    }
}
