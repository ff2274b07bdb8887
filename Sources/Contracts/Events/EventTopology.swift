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
        "identity.membership.#", "identity.tenant.#",
    ]
    package static let notificationsQueue = "authms.notifications"
    /// What calls for a mail.
    package static let notificationsRoutingKeys = [
        "identity.password.#", "identity.email.#", "identity.user.registered", "identity.user.locked",
        "identity.user.unlocked", "identity.user.deleted", "identity.user.export_ready",
        "identity.registration.repeated", "identity.invitation.created", "mfa.totp.*", "mfa.passkey.*",
        "mfa.recovery_codes.*", "mfa.recovery_code.*", "mfa.reset", "session.device.new",
    ]
    /// What identity itself hears of: how far the erasure of a user has come, and who wants their data.
    package static let identityQueue = "authms.identity"
    package static let identityRoutingKeys = [
        "identity.user.deleted", "identity.user.export_requested", "*.user.erased",
    ]
    /// Where a service hears that it must erase a user.
    package static func erasureQueue(of source: EventSource) -> String { "authms.erasure.\(source.rawValue)" }
    /// The services that keep something of a user besides identity.
    package static let erasingSources: [EventSource] = [.session, .profile, .mfa]
    /// Every queue of ours that is consumed, and what it is bound to.
    package static let consumedQueues: [(name: String, routingKeys: [String])] =
        [
            (name: auditQueue, routingKeys: ["#"]), (name: sessionQueue, routingKeys: sessionRoutingKeys),
            (name: notificationsQueue, routingKeys: notificationsRoutingKeys),
            (name: identityQueue, routingKeys: identityRoutingKeys),
        ] + erasingSources.map { (name: erasureQueue(of: $0), routingKeys: ["identity.user.deleted"]) }
    /// How often a message is redelivered before the broker gives it up as a dead letter.
    package static let deliveryLimit = 50

    /// The queue that holds the dead letters of `queue`.
    package static func deadLetterQueue(of queue: String) -> String { "\(queue).dlq" }
}
