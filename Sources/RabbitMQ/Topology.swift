/// The exchanges, queues and bindings that a client needs; declaring what exists alike changes nothing.
package struct Topology: Sendable, Equatable {
    package struct Exchange: Sendable, Equatable {
        package enum Kind: String, Sendable { case direct, topic, fanout, headers }

        package var name: String
        package var kind: Kind
        package var durable: Bool
        package var autoDelete: Bool
        package var arguments: [String: AMQPValue]

        package init(
            _ name: String, _ kind: Kind, durable: Bool = true, autoDelete: Bool = false,
            arguments: [String: AMQPValue] = [:]
        ) {
            self.name = name
            self.kind = kind
            self.durable = durable
            self.autoDelete = autoDelete
            self.arguments = arguments
        }
    }

    package struct Queue: Sendable, Equatable {
        package var name: String
        package var durable: Bool
        package var exclusive: Bool
        package var autoDelete: Bool
        package var arguments: [String: AMQPValue]

        package init(
            _ name: String, durable: Bool = true, exclusive: Bool = false, autoDelete: Bool = false,
            arguments: [String: AMQPValue] = [:]
        ) {
            self.name = name
            self.durable = durable
            self.exclusive = exclusive
            self.autoDelete = autoDelete
            self.arguments = arguments
        }

        /// A durable quorum queue.
        package static func quorum(_ name: String, arguments: [String: AMQPValue] = [:]) -> Queue {
            Queue(name, arguments: arguments.merging(["x-queue-type": "quorum"]) { given, _ in given })
        }
    }

    /// Messages that `exchange` routes by `routingKey` go to `queue`.
    package struct Binding: Sendable, Equatable {
        package var queue: String
        package var exchange: String
        package var routingKey: String
        package var arguments: [String: AMQPValue]

        package init(
            queue: String, exchange: String, routingKey: String = "", arguments: [String: AMQPValue] = [:]
        ) {
            self.queue = queue
            self.exchange = exchange
            self.routingKey = routingKey
            self.arguments = arguments
        }
    }

    package var exchanges: [Exchange]
    package var queues: [Queue]
    package var bindings: [Binding]

    package init(exchanges: [Exchange] = [], queues: [Queue] = [], bindings: [Binding] = []) {
        self.exchanges = exchanges
        self.queues = queues
        self.bindings = bindings
    }
}

/// The queue that a consumer reads.
package enum ConsumerQueue: Sendable, Equatable, ExpressibleByStringInterpolation {
    /// A queue that exists or that the consumer's topology declares.
    case named(String)
    /// A queue of the connection's own, named by the broker, bound as given (`routingKey`s of `exchange`) and gone with
    /// the connection: each process hears everything that is sent while it listens.
    case exclusive(exchange: String, routingKeys: [String])

    package init(stringLiteral value: String) {
        self = .named(value)
    }
}
