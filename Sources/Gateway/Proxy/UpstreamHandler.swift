internal import NIOCore
internal import NIOHTTP1

/// One connection to a service: hands the parts of a response to the client whose request it carries.
final class UpstreamHandler: ChannelDuplexHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundIn = HTTPClientRequestPart
    typealias OutboundOut = HTTPClientRequestPart

    unowned let pool: UpstreamPool
    private var context: ChannelHandlerContext?
    /// The client served now; nil while idle.
    var client: ClientHandler?
    /// Whether the connection has carried an exchange before the present one, so that the service may have closed it
    /// in the meantime.
    var isReused = false
    var idleSince = NIODeadline.distantFuture
    private var keepsAlive = true
    private var answered = false
    private var readsPaused = false
    private var readPending = false

    init(pool: UpstreamPool) {
        self.pool = pool
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    /// Whether a request can be written to it.
    var isUsable: Bool { context?.channel.isActive ?? false }
    var isWritable: Bool { context?.channel.isWritable ?? false }

    /// Whether the connection may carry another request after the response that ended.
    var mayBeReused: Bool { keepsAlive && isUsable }

    // MARK: The client's side

    /// Begins an exchange.
    func lease(to client: ClientHandler) {
        self.client = client
        answered = false
        keepsAlive = true
    }

    func write(_ part: HTTPClientRequestPart) {
        context?.write(wrapOutboundOut(part), promise: nil)
    }

    func flush() {
        context?.flush()
    }

    /// Stops reading the response while the client does not take it.
    func pauseReading() {
        readsPaused = true
    }

    func resumeReading() {
        readsPaused = false
        if readPending {
            readPending = false
            context?.read()
        }
    }

    /// Closes the connection; its client, if any, is not told.
    func close() {
        client = nil
        context?.close(promise: nil)
    }

    // MARK: The service's side

    func read(context: ChannelHandlerContext) {
        if readsPaused { readPending = true } else { context.read() }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard let client else {
            // Nobody asked: whatever this is, the connection cannot be trusted any more.
            context.close(promise: nil)
            return
        }
        switch unwrapInboundIn(data) {
        case .head(let head):
            answered = true
            keepsAlive = head.isKeepAlive
            pool.answered()
            if !keepsAlive { pool.beginsToLeave() }
            client.upstreamResponded(head)
        case .body(let body): client.upstreamSent(body)
        case .end: client.upstreamFinished()
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        client?.upstreamPaused()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        client?.upstreamWritabilityChanged()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        keepsAlive = false
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        let client = self.client
        self.client = nil
        pool.closed(self, wasLeased: client != nil)
        client?.upstreamClosed(reused: isReused, answered: answered)
    }
}
