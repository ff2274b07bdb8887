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

    private let connections = Atomic<Int>(0)
    private let draining = Atomic<Bool>(false)
    private let closing = Atomic<Bool>(false)

    init(
        configuration: GatewayConfiguration, verifier: any AccessTokenVerifying, endpoints: OwnEndpoints,
        metrics: GatewayMetrics, health: HealthBoard
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
