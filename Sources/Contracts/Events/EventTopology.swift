/// The names of exchanges and queues on RabbitMQ: one place, for the services, the tools and third parties.
package enum EventTopology {
    /// The topic exchange on which every event appears, its routing key being the event's type.
    package static let exchange = "authms.events"
    /// Where the broker sends what no queue was bound for, so that nothing vanishes.
    package static let unroutedExchange = "authms.unrouted"
    package static let unroutedQueue = "authms.unrouted"
    /// The direct exchange of dead letters; the routing key is the queue that the message died in.
    package static let deadLetterExchange = "authms.dlx"
    package static let auditQueue = "authms.audit"
    package static let sessionQueue = "authms.session"
    /// What the session service hears of: changes to users and what they may do, sessions to adopt, and refreshes that
    /// identity answered in its place.
    package static let sessionRoutingKeys = [
        "identity.user.#", "identity.password.#", "identity.roles.#", "identity.session.#", "identity.refresh.#",
    ]
    /// How often a message is redelivered before the broker gives it up as a dead letter.
    package static let deliveryLimit = 50

    /// The queue that holds the dead letters of `queue`.
    package static func deadLetterQueue(of queue: String) -> String { "\(queue).dlq" }
}
