internal import Logging
internal import NIOHTTP1
internal import Synchronization

/// What all event loops of one gateway share: immutable, or atomic.
final class GatewayContext: Sendable {
    let configuration: GatewayConfiguration
    let routes: RouteTable
    let limits: GatewayLimits
    let verifier: any AccessTokenVerifying
    let cors: CORSPolicy
    let proxies: TrustedProxies
    let endpoints: OwnEndpoints
    let metrics: GatewayMetrics
    let health: HealthBoard

    private let logger: Logger
    private let connections = Atomic<Int>(0)
    private let draining = Atomic<Bool>(false)
    private let closing = Atomic<Bool>(false)
    private let hasToldOfUnheardClient = Atomic<Bool>(false)

    init(
        configuration: GatewayConfiguration, verifier: any AccessTokenVerifying, endpoints: OwnEndpoints,
        metrics: GatewayMetrics, health: HealthBoard, logger: Logger
    ) {
        self.configuration = configuration
        self.routes = configuration.routes
        self.limits = configuration.limits
        self.verifier = verifier
        self.cors = CORSPolicy(origins: configuration.allowedOrigins)
        self.proxies = TrustedProxies(configuration.trustedProxies)
        self.endpoints = endpoints
        self.metrics = metrics
        self.health = health
        self.logger = logger
    }

    /// Connections of clients that are open now.
    var openConnections: Int { connections.load(ordering: .relaxed) }

    /// Counts a new connection in, unless that would be one too many.
    func admitConnection() -> Bool {
        let count = connections.wrappingAdd(1, ordering: .relaxed).newValue
        if count <= limits.maximumConnections { return true }
        connections.wrappingSubtract(1, ordering: .relaxed)
        return false
    }

    /// Counts a closed connection out.
    func connectionClosed() {
        connections.wrappingSubtract(1, ordering: .relaxed)
    }

    /// Tells once that a peer names a client and is not believed: a balancer that nobody has named, or anybody's invention.
    /// With the former every client has the balancer's address, and shares its limits.
    func noteUnheardClient(from peer: String) {
        guard !hasToldOfUnheardClient.load(ordering: .relaxed),
            !hasToldOfUnheardClient.exchange(true, ordering: .relaxed)
        else { return }
        logger.warning(
            "X-Forwarded-For is dropped, as of any peer that is not trusted",
            metadata: ["peer": "\(peer)", "if_it_is_your_balancer": "name it in GATEWAY_TRUSTED_PROXIES"])
    }

    /// Whether the gateway is about to stop: readiness is red, and every answer is the last on its connection.
    var isDraining: Bool { draining.load(ordering: .relaxed) }

    /// Whether it takes no connection any more.
    var isClosing: Bool { closing.load(ordering: .relaxed) }

    func beginDraining() {
        draining.store(true, ordering: .relaxed)
    }

    func beginClosing() {
        beginDraining()
        closing.store(true, ordering: .relaxed)
    }
}
