import NIOCore
import NIOPosix

/// One connection through a link: two channels on one event loop, each handing on to the other.
enum ProxiedConnection {
    /// Limit of connecting to the target: on the loopback interface it answers at once or not at all.
    private static let connectTimeout = TimeAmount.seconds(2)

    /// Takes a client's channel as the link's mode has it. On the channel's event loop.
    static func accept(_ client: any Channel, _ connections: ProxiedConnections, _ target: Int) {
        connections.add(client)
        switch connections.mode {
        case .cut, .refuse:
            client.reset()
        case .stall:
            try? client.pipeline.syncOperations.addHandler(LinkEnd(connections, peer: nil))
            client.setOption(.autoRead, value: true).whenComplete { _ in }
        case .pass, .delay:
            connect(client, connections, target)
        }
    }

    private static func connect(_ client: any Channel, _ connections: ProxiedConnections, _ target: Int) {
        ClientBootstrap(group: client.eventLoop)
            .connectTimeout(connectTimeout)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.autoRead, value: false)
            .connect(host: "127.0.0.1", port: target)
            .assumeIsolated()
            .whenComplete { result in
                guard case .success(let server) = result, client.isActive else {
                    client.reset()
                    if case .success(let server) = result { server.reset() }
                    return
                }
                connections.add(server)
                do {
                    try client.pipeline.syncOperations.addHandler(LinkEnd(connections, peer: server))
                    try server.pipeline.syncOperations.addHandler(LinkEnd(connections, peer: client))
                } catch {
                    client.reset()
                    server.reset()
                    return
                }
                for channel in [client, server] { channel.setOption(.autoRead, value: true).whenComplete { _ in } }
            }
    }
}

/// One end of a connection: what it reads goes to the other end, at once, later or never.
private final class LinkEnd: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let connections: ProxiedConnections
    private let peer: (any Channel)?
    /// Until when what was read before is held back, so that nothing overtakes it.
    private var lastDue = NIODeadline.uptimeNanoseconds(0)

    init(_ connections: ProxiedConnections, peer: (any Channel)?) {
        self.connections = connections
        self.peer = peer
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        let now = context.eventLoop.now
        switch connections.mode {
        case .stall, .refuse, .cut: return
        case .delay: lastDue = max(lastDue, now + FaultProxy.delay)
        case .pass: break
        }
        guard let peer else { return context.channel.reset() }
        guard lastDue > now else { return peer.writeAndFlush(bytes, promise: nil) }
        // One nanosecond apart: what is due at the same time would have no order.
        lastDue = lastDue + .nanoseconds(1)
        context.eventLoop.scheduleTask(deadline: lastDue) { peer.writeAndFlush(bytes, promise: nil) }
    }

    /// A peer that does not take what it is sent is not sent more.
    func channelWritabilityChanged(context: ChannelHandlerContext) {
        peer?.setOption(.autoRead, value: context.channel.isWritable).whenComplete { _ in }
        context.fireChannelWritabilityChanged()
    }

    func channelInactive(context: ChannelHandlerContext) {
        // A stalled link tells nobody that the other end has gone.
        if connections.mode != .stall { peer?.close(promise: nil) }
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        peer?.reset()
        context.channel.reset()
    }
}
