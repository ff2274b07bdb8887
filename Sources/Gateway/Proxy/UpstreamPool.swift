internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix

/// The keep-alive connections of one event loop to one replica of a service, with the breaker and the bound on requests in
/// flight.
final class UpstreamPool {
    /// What asking for a connection came to.
    enum Acquisition {
        case ready(UpstreamHandler)
        /// `upstreamReady` or `upstreamUnreachable` will be called with the same ticket.
        case connecting
        case refused(Refusal)
    }

    /// Index of the service in the route table.
    let index: Int
    /// The replica's place in a set of them.
    let bit: UInt64
    /// Whether the replica does not even say that it lives: stopped, cut off, or gone.
    private(set) var isSilent = false
    /// Whether it is silent and would not tell of its end either: what it was asked is waited for in vain. One that refuses
    /// connections keeps those that it has until it has answered, and when it is gone they are, too.
    private(set) var isLost = false
    /// Whether it said that it is ready when it was asked last.
    var isReady = true
    /// Whether it closes its connections: it is about to stop, and answers what it is still sent.
    private(set) var isLeaving = false
    private let endpoint: UpstreamEndpoint
    private let address: SocketAddress?
    private let eventLoop: any EventLoop
    private let shared: GatewayContext
    private var idle: [UpstreamHandler] = []
    private var leased = 0
    private var breaker = Breaker()

    init(index: Int, replica: Int, endpoint: UpstreamEndpoint, eventLoop: any EventLoop, shared: GatewayContext) {
        self.index = index
        bit = 1 << UInt64(replica)
        self.endpoint = endpoint
        self.eventLoop = eventLoop
        self.shared = shared
        // A literal address needs no resolver; a name is looked up for each new connection.
        address = try? SocketAddress(ipAddress: endpoint.host, port: endpoint.port)
    }

    /// Requests under way.
    var inFlight: Int { leased }
    var isFull: Bool { leased >= shared.limits.maximumInFlightPerUpstream }

    /// What the replica is good for now.
    func standing(now: NIODeadline) -> UpstreamGroup.Standing {
        guard !isSilent, !isFull, breaker.wouldAdmit(now: now) else { return .unusable }
        return isLeaving ? .leaving : isReady ? .ready : .unready
    }

    /// Takes note of what the replica said when it was asked whether it lives, or why it said nothing.
    func heard(_ result: ProbeResult) {
        switch result {
        case .success(let answer):
            (isSilent, isLost) = (false, false)
            if answer.isLastOnConnection { beginsToLeave() } else { isLeaving = false }
        case .failure(let failure):
            (isSilent, isLeaving) = (true, false)
            if case .refused = failure { isLost = false } else { isLost = true }
        }
    }

    /// An answer was the last on its connection: what rests in the others would be cut off unasked.
    func beginsToLeave() {
        guard !isLeaving else { return }
        isLeaving = true
        close()
    }

    /// Leases a connection to `client`.
    ///
    /// - Parameter fresh: connects anew, because a kept-alive connection just turned out to be stale.
    func acquire(for client: ClientHandler, ticket: UInt64, fresh: Bool) -> Acquisition {
        guard !isFull else { return .refused(.overloaded) }
        guard !isSilent else { return .refused(.unavailable) }
        guard breaker.admits(now: .now()) else { return .refused(.unavailable) }
        leased += 1
        while !fresh, let connection = idle.popLast() {
            guard connection.isUsable else { continue }
            connection.isReused = true
            connection.lease(to: client)
            return .ready(connection)
        }
        connect(for: client, ticket: ticket)
        return .connecting
    }

    /// Takes a connection back after a complete exchange.
    func release(_ connection: UpstreamHandler) {
        leased -= 1
        connection.client = nil
        guard connection.mayBeReused, idle.count < shared.limits.maximumIdlePerUpstream, !isLeaving,
            !shared.isClosing
        else {
            connection.close()
            return
        }
        connection.idleSince = .now()
        idle.append(connection)
    }

    /// Closes a connection whose exchange cannot be completed.
    func discard(_ connection: UpstreamHandler) {
        leased -= 1
        breaker.abandoned(now: .now())
        connection.close()
    }

    /// A service answered (whatever it said).
    func answered() {
        breaker.succeeded()
    }

    /// A service refused, broke off or stalled.
    func failed() {
        let wasClosed = breaker.isClosed
        breaker.failed(now: .now())
        if wasClosed, !breaker.isClosed { shared.metrics.breakerOpened(upstream: index) }
    }

    /// The connection is gone.
    func closed(_ connection: UpstreamHandler, wasLeased: Bool) {
        if wasLeased {
            leased -= 1
        } else if let position = idle.firstIndex(where: { $0 === connection }) {
            idle.remove(at: position)
        }
    }

    /// Closes connections that have been idle for too long, oldest first.
    func sweep(now: NIODeadline) {
        let limit = now - shared.limits.upstreamIdleTimeout
        while let oldest = idle.first, oldest.idleSince < limit {
            idle.removeFirst()
            oldest.close()
        }
    }

    /// Closes every idle connection.
    func close() {
        let connections = idle
        idle = []
        for connection in connections { connection.close() }
    }

    private func connect(for client: ClientHandler, ticket: UInt64) {
        let handler = UpstreamHandler(pool: self)
        let bound = NIOLoopBound(handler, eventLoop: eventLoop)
        let bootstrap = ClientBootstrap(group: eventLoop)
            .connectTimeout(shared.limits.connectTimeout)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    var configuration = HTTPRequestEncoder.Configuration()
                    configuration.automaticallySetFramingHeaders = false
                    let decoder = ByteToMessageHandler(HTTPResponseDecoder(leftOverBytesStrategy: .dropBytes))
                    try channel.pipeline.syncOperations.addHandlers([
                        HTTPRequestEncoder(configuration: configuration), decoder, bound.value,
                    ])
                }
            }
        let connected =
            if let address {
                bootstrap.connect(to: address)
            } else {
                bootstrap.connect(host: endpoint.host, port: endpoint.port)
            }
        connected.assumeIsolated().whenComplete { result in
            switch result {
            case .success:
                guard client.awaits(ticket) else {
                    // The client has gone; the next one will be glad of the connection.
                    self.breaker.abandoned(now: .now())
                    self.release(handler)
                    return
                }
                handler.lease(to: client)
                client.upstreamReady(handler)
            case .failure:
                self.leased -= 1
                self.failed()
                if client.awaits(ticket) { client.upstreamUnreachable() }
            }
        }
    }
}
