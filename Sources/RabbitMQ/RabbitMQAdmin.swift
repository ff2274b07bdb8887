package import ConnectionKit
package import Logging

/// The operations on exchanges and queues that tools and tests need, over one connection, one at a time.
///
/// A cancelled task is not interrupted here: each operation ends by its deadline.
package actor RabbitMQAdmin {
    package nonisolated let configuration: RabbitMQConfiguration
    private let executor = ThreadExecutor(name: "amqp-admin")
    private let logger: Logger
    private var link: AMQPLink?

    package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    /// Connects with the first operation, and again after a failure.
    package init(configuration: RabbitMQConfiguration, logger: Logger) {
        self.configuration = configuration
        self.logger = logger
    }

    /// Closes the connection; the next operation opens it again.
    package func close() {
        link?.close()
        link = nil
    }

    /// Opens the connection where none stands: a check of address, credentials and permissions.
    package func ping(deadline: Deadline) throws(RabbitMQError) {
        try perform(deadline) { (link) throws(RabbitMQError) in try link.limitPrefetch(to: 0) }
    }

    /// Declares everything in the topology: exchanges, queues, bindings, in this order.
    package func declare(_ topology: Topology, deadline: Deadline) throws(RabbitMQError) {
        try perform(deadline) { (link) throws(RabbitMQError) in try link.declare(topology) }
    }

    /// Binds a queue.
    package func bind(_ binding: Topology.Binding, deadline: Deadline) throws(RabbitMQError) {
        try perform(deadline) { (link) throws(RabbitMQError) in try link.bind(binding) }
    }

    /// Takes a binding back.
    package func unbind(_ binding: Topology.Binding, deadline: Deadline) throws(RabbitMQError) {
        try perform(deadline) { (link) throws(RabbitMQError) in try link.unbind(binding) }
    }

    /// How many messages are ready in the queue, and how many consumers it has.
    ///
    /// - Throws: `notFound` when there is no such queue.
    package func inspect(
        queue: String, deadline: Deadline
    ) throws(RabbitMQError) -> (messages: Int, consumers: Int) {
        try perform(deadline) { (link) throws(RabbitMQError) in try link.inspect(queue: queue) }
    }

    /// Removes the messages that are ready; how many they were.
    @discardableResult
    package func purge(queue: String, deadline: Deadline) throws(RabbitMQError) -> Int {
        try perform(deadline) { (link) throws(RabbitMQError) in try link.purge(queue: queue) }
    }

    /// Deletes the queue with its messages; how many they were.
    @discardableResult
    package func delete(queue: String, deadline: Deadline) throws(RabbitMQError) -> Int {
        try perform(deadline) { (link) throws(RabbitMQError) in try link.delete(queue: queue) }
    }

    /// Deletes the exchange.
    package func delete(exchange: String, deadline: Deadline) throws(RabbitMQError) {
        try perform(deadline) { (link) throws(RabbitMQError) in try link.delete(exchange: exchange) }
    }

    /// Fetches one message (`basic.get`), to be settled with `settle`; `nil` when the queue is empty. What is not
    /// settled when the connection closes goes back to the queue.
    package func get(queue: String, deadline: Deadline) throws(RabbitMQError) -> Delivery? {
        let wait: SocketWait
        do {
            wait = SocketWait(doorbell: try Doorbell())
        } catch {
            throw RabbitMQError(.unavailable, "\(error)")
        }
        return try perform(deadline) { (link) throws(RabbitMQError) in
            guard try link.get(queue: queue) else { return nil }
            while !deadline.hasPassed {
                if case .delivered(let delivery) = try link.nextEvent() { return delivery }
                _ = try? wait.wait(for: .readable, on: link.socket, until: deadline)
            }
            throw RabbitMQError(.deadlineExceeded, "the deadline passed before the message came")
        }
    }

    /// Settles a message that `get` fetched on this connection.
    package func settle(_ delivery: Delivery, _ verdict: DeliveryVerdict) throws(RabbitMQError) {
        guard let link else { throw RabbitMQError(.connectionLost, "the connection that fetched the message is gone") }
        try link.settle(delivery.tag, verdict)
    }

    private func perform<Value>(
        _ deadline: Deadline, _ body: (AMQPLink) throws(RabbitMQError) -> Value
    ) throws(RabbitMQError) -> Value {
        do throws(RabbitMQError) {
            let link = try openLink(deadline)
            link.limitRequests(deadline.capped(at: configuration.requestTimeout))
            return try body(link)
        } catch {
            // An error of the broker has closed the channel; any other leaves the connection in an unknown state.
            link?.close()
            link = nil
            throw error
        }
    }

    private func openLink(_ deadline: Deadline) throws(RabbitMQError) -> AMQPLink {
        if let link { return link }
        let opened = try AMQPLink(configuration, deadline: deadline)
        link = opened
        return opened
    }
}
