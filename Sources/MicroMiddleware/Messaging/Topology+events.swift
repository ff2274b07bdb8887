internal import Contracts
package import RabbitMQ

extension Topology {
    /// The exchanges and queues that every producer and consumer of ours declares, so that the order in which services
    /// start does not matter: an event published before audit has ever run waits in audit's queue.
    package static let events = Topology(
        exchanges: [
            Exchange(EventTopology.unroutedExchange, .fanout),
            Exchange(
                EventTopology.exchange, .topic,
                arguments: ["alternate-exchange": .string(EventTopology.unroutedExchange)]),
            Exchange(EventTopology.deadLetterExchange, .direct),
        ],
        queues: [.quorum(EventTopology.unroutedQueue)]
            + EventTopology.consumedQueues.flatMap {
                [.quorum(EventTopology.deadLetterQueue(of: $0.name)), .consumed($0.name)]
            },
        bindings: [Binding(queue: EventTopology.unroutedQueue, exchange: EventTopology.unroutedExchange)]
            + EventTopology.consumedQueues.flatMap { queue in
                [.deadLetters(of: queue.name)]
                    + queue.routingKeys.map {
                        Binding(queue: queue.name, exchange: EventTopology.exchange, routingKey: $0)
                    }
            })
}

extension Topology.Queue {
    /// A queue that one process at a time consumes in order, and whose dead letters cannot be lost: at-least-once
    /// dead-lettering needs a quorum queue, the strategy and `reject-publish` together, or it degrades silently.
    static func consumed(_ name: String) -> Topology.Queue {
        .quorum(
            name,
            arguments: [
                "x-single-active-consumer": true, "x-delivery-limit": .int(Int64(EventTopology.deliveryLimit)),
                "x-overflow": "reject-publish", "x-dead-letter-exchange": .string(EventTopology.deadLetterExchange),
                "x-dead-letter-routing-key": .string(name), "x-dead-letter-strategy": "at-least-once",
            ])
    }
}

extension Topology.Binding {
    static func deadLetters(of queue: String) -> Topology.Binding {
        Topology.Binding(
            queue: EventTopology.deadLetterQueue(of: queue), exchange: EventTopology.deadLetterExchange,
            routingKey: queue)
    }
}
