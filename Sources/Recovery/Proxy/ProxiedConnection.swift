import NIOCore
import NIOPosix

/// One connection through a link: two channels on one event loop, each handing on to the other.
enum ProxiedConnection {
    /// Limit of connecting to the target: on the loopback interface it answers at once or not at all.
    fileprivate static let connectTimeout = TimeAmount.seconds(2)

    /// Makes a client's channel one end of a connection to `target`, once it is active. On the channel's event loop.
    static func accept(_ client: any Channel, _ connections: ProxiedConnections, _ target: Int) throws {
        // Before the mode is looked at: whoever sets another one from now on finds the channel among those to reset.
        connections.add(client)
        // Whom a closed listener does not live to hand over is reset, too.
        client.setResetsOnClose(true).whenComplete { _ in }
        try client.pipeline.syncOperations.addHandler(LinkEnd(client, connections, target: target))
    }
}

/// One end of a connection: what it reads goes to the other end, at once, later or never.
///
/// Each direction ends by itself: an end of input is handed on behind the bytes before it, and shuts down the other end's
/// output only when those have been written. Closing at once would drop them, and reset a peer that still sends.
private final class LinkEnd: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private enum Piece {
        case bytes(ByteBuffer)
        case end
    }

    private let channel: any Channel
    private let connections: ProxiedConnections
    /// Where the other end is to be connected to; nil at that other end.
    private let target: Int?
    private var peer: LinkEnd?
    /// What was read before there was another end: a client that has already said all and closed is read to its end.
    private var waiting: [Piece] = []
    /// Until when what was read before is held back, so that nothing overtakes it.
    private var lastDue = NIODeadline.uptimeNanoseconds(0)
    private var hasInputEnded = false
    private var hasOutputEnded = false

    init(_ channel: any Channel, _ connections: ProxiedConnections, target: Int? = nil, peer: LinkEnd? = nil) {
        self.channel = channel
        self.connections = connections
        self.target = target
        self.peer = peer
    }

    // MARK: Beginning

    /// Takes the client as the link's mode has it. Not earlier: an accepted channel passes through the listener's event
    /// loop before it is active, and the target may well have answered by then.
    func channelActive(context: ChannelHandlerContext) {
        if let target { take(as: connections.mode, target) }
        context.fireChannelActive()
    }

    private func take(as mode: FaultProxy.Mode, _ target: Int) {
        switch mode {
        case .cut, .refuse:
            channel.reset()
        case .stall:
            channel.setResetsOnClose(false).whenComplete { _ in }
            setReading(true)
        case .pass, .delay:
            channel.setResetsOnClose(false).whenComplete { _ in }
            connect(to: target)
        }
    }

    private func connect(to target: Int) {
        let client = NIOLoopBound(self, eventLoop: channel.eventLoop)
        let connections = connections
        let address: SocketAddress
        do {
            address = try SocketAddress(ipAddress: "127.0.0.1", port: target)
        } catch {
            return channel.reset()
        }
        ClientBootstrap(group: channel.eventLoop)
            .connectTimeout(ProxiedConnection.connectTimeout)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.autoRead, value: false)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelInitializer { server in
                server.eventLoop.makeCompletedFuture {
                    let end = LinkEnd(server, connections, peer: client.value)
                    try server.pipeline.syncOperations.addHandler(end)
                }
            }
            .connect(to: address)
            .assumeIsolated()
            .whenComplete { result in
                guard case .success(let server) = result else { return self.channel.reset() }
                self.join(server)
            }
    }

    private func join(_ server: any Channel) {
        guard channel.isActive, let end = try? server.pipeline.syncOperations.handler(type: LinkEnd.self) else {
            channel.reset()
            server.reset()
            return
        }
        connections.add(server)
        peer = end
        let pieces = waiting
        waiting = []
        for piece in pieces { handOn(piece) }
        setReading(server.isWritable)
        end.setReading(channel.isWritable)
    }

    // MARK: Handing on

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch connections.mode {
        case .stall, .refuse, .cut: return
        case .delay: lastDue = max(lastDue, context.eventLoop.now + FaultProxy.delay)
        case .pass: break
        }
        handOn(.bytes(unwrapInboundIn(data)))
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event as? ChannelEvent == .inputClosed {
            hasInputEnded = true
            // A stalled link tells nobody that the other end has gone.
            if connections.mode == .stall { channel.close(promise: nil) } else { handOn(.end) }
        }
        context.fireUserInboundEventTriggered(event)
    }

    private func handOn(_ piece: Piece) {
        guard let peer else { return waiting.append(piece) }
        guard lastDue > channel.eventLoop.now else { return peer.write(piece) }
        // One nanosecond apart: what is due at the same time would have no order.
        lastDue = lastDue + .nanoseconds(1)
        channel.eventLoop.assumeIsolated().scheduleTask(deadline: lastDue) { peer.write(piece) }
    }

    private func write(_ piece: Piece) {
        switch piece {
        case .bytes(let bytes):
            channel.writeAndFlush(bytes, promise: nil)
        case .end:
            // An empty write is done when all before it are.
            channel.writeAndFlush(ByteBuffer()).assumeIsolated().whenSuccess {
                self.hasOutputEnded = true
                self.channel.close(mode: .output, promise: nil)
            }
        }
    }

    /// A peer that does not take what it is sent is not sent more.
    func channelWritabilityChanged(context: ChannelHandlerContext) {
        peer?.setReading(context.channel.isWritable)
        context.fireChannelWritabilityChanged()
    }

    private func setReading(_ reads: Bool) {
        // It fails on a closed channel, which reads nothing anyway.
        try? channel.syncOptions?.setOption(.autoRead, value: reads)
    }

    // MARK: Ending

    func channelInactive(context: ChannelHandlerContext) {
        if connections.mode != .stall {
            switch (hasInputEnded, hasOutputEnded) {
            case (true, true): break
            // The end of input comes as this where the output has ended before.
            case (false, true): handOn(.end)
            // Neither end has said that it is done: what was under way is lost, and the other end must learn so.
            case (_, false): peer?.channel.reset()
            }
        }
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if connections.mode != .stall { peer?.channel.reset() }
        channel.reset()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        peer = nil
        waiting = []
    }
}

extension Channel {
    /// Closes with RST instead of FIN: the peer learns at once that what it sent may not have arrived.
    func reset() {
        setResetsOnClose(true).whenComplete { _ in self.close(promise: nil) }
    }

    fileprivate func setResetsOnClose(_ resets: Bool) -> EventLoopFuture<Void> {
        guard let options = self as? any SocketOptionProvider else { return eventLoop.makeSucceededVoidFuture() }
        return options.setSoLinger(linger(l_onoff: resets ? 1 : 0, l_linger: 0))
    }
}
