internal import NIOCore

/// The gateway's state on one event loop: upstream pools, clients, clock. Touched by that loop alone, hence no locks.
final class GatewayLoop {
    let eventLoop: any EventLoop
    let shared: GatewayContext
    private(set) var clock = LoopClock()
    private(set) var now = NIODeadline.now()
    var identities = RequestIdentitySource()
    private var groups: [UpstreamGroup] = []
    private var clients: [ClientHandler] = []
    private var multiplexed: [ObjectIdentifier: any Channel] = [:]
    private var ticker: RepeatedTask?

    init(eventLoop: any EventLoop, shared: GatewayContext) {
        self.eventLoop = eventLoop
        self.shared = shared
        groups = shared.configuration.upstreams.enumerated().map { index, upstream in
            let replicas = upstream.replicas.enumerated().map { replica, endpoint in
                UpstreamPool(index: index, replica: replica, endpoint: endpoint, eventLoop: eventLoop, shared: shared)
            }
            return UpstreamGroup(index: index, replicas: replicas, shared: shared)
        }
    }

    /// The replicas of a service, by its index in the route table.
    func group(_ index: Int) -> UpstreamGroup { groups[index] }

    /// Starts looking for what has waited too long. One timer for all clients: a timer for each request would cost
    /// more than the rest of the bookkeeping.
    func start() {
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        let tick = shared.limits.tick
        ticker = eventLoop.scheduleRepeatedTask(initialDelay: tick, delay: tick) { _ in bound.value.sweep() }
    }

    /// Ends the timer and every connection.
    func stop() {
        ticker?.cancel()
        ticker = nil
        for client in clients { client.abort() }
        for channel in multiplexed.values { channel.close(promise: nil) }
        for group in groups {
            for pool in group.replicas { pool.close() }
        }
    }

    /// Lets every client finish what it has begun and asks it to go.
    func drain() {
        for client in clients.reversed() { client.drain() }
        announceDrain()
    }

    /// Tells those who cannot be told by a header: HTTP/2 connections get GOAWAY (RFC 9113 §6.8).
    func announceDrain() {
        for channel in multiplexed.values {
            channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
        }
    }

    private func sweep() {
        now = .now()
        clock.refresh()
        var index = clients.count - 1
        while index >= 0 {
            // Sweeping may remove the client, which moves the last one, already swept, into its place.
            if index < clients.count { clients[index].sweep(now: now) }
            index -= 1
        }
        for group in groups { group.sweep(now: now) }
    }

    // MARK: Clients

    func add(_ client: ClientHandler) {
        client.slot = clients.count
        clients.append(client)
    }

    func remove(_ client: ClientHandler) {
        let slot = client.slot
        guard slot >= 0, slot < clients.count, clients[slot] === client else { return }
        client.slot = -1
        let last = clients.removeLast()
        if last !== client {
            clients[slot] = last
            last.slot = slot
        }
    }

    func add(multiplexed channel: any Channel) {
        multiplexed[ObjectIdentifier(channel)] = channel
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        let key = ObjectIdentifier(channel)
        channel.closeFuture.whenComplete { _ in bound.value.multiplexed[key] = nil }
    }
}
