internal import ConnectionKit
package import Logging
package import MicroMiddleware
package import NIOCore
package import NIOPosix
internal import ServiceLifecycle
internal import Synchronization

/// The gateway's data plane: listens, proxies, drains.
///
/// As a `Service` it runs until graceful shutdown: then readiness goes red and every answer carries `Connection: close`;
/// after `GatewayLimits.drainDelay` the listener closes, requests in flight finish, and what is left after
/// `GatewayLimits.drainTimeout` is cut off.
package final class GatewayServer: Service, Sendable {
    private let shared: GatewayContext
    private let certificates: TLSCertificates?
    private let group: MultiThreadedEventLoopGroup
    private let logger: Logger
    private let beforeListening: @Sendable () async -> Void
    private let loops: Mutex<[NIOLoopBound<GatewayLoop>]> = Mutex([])
    private let listener: Mutex<(any Channel)?> = Mutex(nil)
    private let probes: Mutex<[RepeatedTask]> = Mutex([])

    /// - Parameter beforeListening: what ``run()`` waits for before it takes connections; must end by itself.
    /// - Throws: when the certificate files cannot be used.
    package init(
        configuration: GatewayConfiguration, verifier: any AccessTokenVerifying, endpoints: OwnEndpoints,
        metrics: MetricsRegistry, group: MultiThreadedEventLoopGroup = .singleton, logger: Logger,
        beforeListening: @escaping @Sendable () async -> Void = {}
    ) throws {
        let names = configuration.upstreams.map(\.name)
        shared = GatewayContext(
            configuration: configuration, verifier: verifier, endpoints: endpoints,
            metrics: GatewayMetrics(upstreams: names, registry: metrics),
            health: HealthBoard(names: names, replicas: configuration.upstreams.map(\.replicas.count)),
            logger: logger)
        certificates = try configuration.certificate.map {
            try TLSCertificates(chainPath: $0.chainPath, keyPath: $0.keyPath)
        }
        self.group = group
        self.logger = logger
        self.beforeListening = beforeListening
    }

    package func run() async throws {
        await beforeListening()
        let address = try await start()
        logger.info("the gateway listens", metadata: ["address": "\(address)", "tls": "\(certificates != nil)"])
        await withTaskGroup(of: Void.self) { tasks in
            if certificates != nil { tasks.addTask { await self.watchCertificates() } }
            // Cancelled is as good as asked to stop.
            try? await gracefulShutdown()
            tasks.cancelAll()
        }
        await stop()
    }

    /// Binds the listener and begins to serve.
    ///
    /// - Returns: the bound address; with port 0 configured, the port that the system chose.
    /// - Throws: when the address cannot be bound.
    package func start() async throws -> SocketAddress {
        var bounds: [ObjectIdentifier: NIOLoopBound<GatewayLoop>] = [:]
        for eventLoop in group.makeIterator() {
            let shared = self.shared
            let bound = try await eventLoop.submit {
                let loop = GatewayLoop(eventLoop: eventLoop, shared: shared)
                loop.start()
                return NIOLoopBound(loop, eventLoop: eventLoop)
            }.get()
            bounds[ObjectIdentifier(eventLoop)] = bound
        }
        loops.withLock { $0 = Array(bounds.values) }
        let pipeline = ConnectionPipeline(shared: shared, loops: bounds, certificates: certificates)
        let channel = try await ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 1_024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { pipeline.configure($0) }
            .bind(host: shared.configuration.host, port: shared.configuration.port).get()
        listener.withLock { $0 = channel }
        startProbing(Array(bounds.values))
        return try channel.localAddress ?? SocketAddress(ipAddress: "0.0.0.0", port: 0)
    }

    /// Two questions to each replica: whether it is ready, and whether it answers at all.
    private func startProbing(_ bounds: [NIOLoopBound<GatewayLoop>]) {
        let configuration = shared.configuration
        let places = configuration.upstreams.enumerated().flatMap { index, upstream in
            upstream.replicas.indices.map { (service: index, replica: $0) }
        }
        let endpoints = configuration.upstreams.flatMap(\.replicas)
        let readiness = HealthProber(endpoints: endpoints, path: "/readyz", timeout: configuration.probeTimeout) {
            [board = shared.health] index, result in
            let (service, replica) = places[index]
            let answer = try? result.get()
            let isReady = answer?.isOK == true
            board.set(isReady ? .healthy : answer == nil ? .unhealthy : .degraded, at: service, replica: replica)
            for bound in bounds {
                bound.eventLoop.execute { bound.value.group(service).replicas[replica].isReady = isReady }
            }
        }
        let lives = LifeLog(endpoints: endpoints, logger: logger)
        let life = HealthProber(endpoints: endpoints, path: "/livez", timeout: configuration.silenceTimeout) {
            index, result in
            let (service, replica) = places[index]
            lives.record(result, of: index)
            for bound in bounds {
                bound.eventLoop.execute { bound.value.group(service).replicas[replica].heard(result) }
            }
        }
        probes.withLock {
            $0 = [
                readiness.start(on: group.next(), every: configuration.probeInterval),
                life.start(on: group.next(), every: configuration.lifeInterval),
            ]
        }
    }

    /// Drains and ends every connection.
    package func stop() async {
        let bounds = loops.withLock { $0 }
        shared.beginDraining()
        for bound in bounds { bound.eventLoop.execute { bound.value.announceDrain() } }
        try? await Task.sleep(for: .nanoseconds(shared.limits.drainDelay.nanoseconds))
        shared.beginClosing()
        let channel = listener.withLock { $0.take() }
        try? await channel?.close().get()
        for bound in bounds { bound.eventLoop.execute { bound.value.drain() } }
        let deadline = Deadline.after(.nanoseconds(shared.limits.drainTimeout.nanoseconds))
        while shared.openConnections > 0, !deadline.hasPassed {
            // A cancelled task still drains: the wait turns into a short spin that yields.
            if (try? await Task.sleep(for: .milliseconds(10))) == nil { await Task.yield() }
        }
        if shared.openConnections > 0 {
            logger.warning("clients were cut off", metadata: ["connections": "\(shared.openConnections)"])
        }
        for task in probes.withLock({ $0 }) { task.cancel() }
        for bound in bounds { try? await bound.eventLoop.submit { bound.value.stop() }.get() }
    }

    /// Picks up a renewed certificate.
    private func watchCertificates() async {
        guard let certificates else { return }
        while (try? await Task.sleep(for: shared.configuration.reloadInterval)) != nil {
            do {
                if try certificates.reloadIfChanged() { logger.info("a renewed certificate is in force") }
            } catch {
                logger.error(
                    "the changed certificate cannot be used; the one before stays in force",
                    metadata: ["error": "\(error)"])
            }
        }
    }
}
