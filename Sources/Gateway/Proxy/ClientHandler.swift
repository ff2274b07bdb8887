internal import NIOCore
internal import NIOHTTP1

/// One client connection (HTTP/1.1) or stream (HTTP/2): reads requests, has them answered, keeps the time.
///
/// Everything happens on the channel's event loop, without suspension and without a lock.
final class ClientHandler: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    /// What the channel speaks.
    enum Transport {
        case http1
        /// A stream: one request, and the connection is not this handler's to close.
        case http2
    }

    enum Phase {
        /// Between requests.
        case idle
        /// The body is being read; nothing goes to a service before it is complete.
        case gathering
        /// A connection to the service is being made.
        case connecting
        /// A service has the request.
        case forwarding
        /// The response is complete; what is left of the request is read and dropped.
        case discarding
        /// Nothing more is read or written.
        case closed
    }

    /// Body bytes held back while a connection to the service is made, before reading pauses.
    static let maximumPendingBodyBytes = 65_536

    let loop: GatewayLoop
    let transport: Transport
    let isSecure: Bool
    /// Index in the loop's list of clients.
    var slot = -1
    var context: ChannelHandlerContext?
    /// The other end's address, as text. Read from the channel, which knows it also for a stream; the context does not.
    private(set) lazy var peer: String = {
        let address = context?.channel.remoteAddress ?? context?.channel.parent?.remoteAddress
        return address?.ipAddress ?? "unknown"
    }()
    /// Whether the other end is a proxy whose word on the client holds; asked once for a connection.
    private(set) lazy var isTrustedPeer = shared.proxies.contains(peer: peer)
    var phase = Phase.idle
    var exchange: Exchange
    var upstream: UpstreamHandler?
    /// The replica that the request was given to last.
    var replica: UpstreamPool?
    /// When the present phase has lasted too long.
    var deadline: NIODeadline
    /// Parts of requests that arrived before their turn (pipelining, RFC 9112 §9.3.2): at most one read's worth.
    var backlog: CircularBuffer<HTTPServerRequestPart> = []
    private var isServingBacklog = false
    private var readPending = false

    init(loop: GatewayLoop, transport: Transport, isSecure: Bool) {
        self.loop = loop
        self.transport = transport
        self.isSecure = isSecure
        let now = NIODeadline.now()
        exchange = Exchange(ticket: 0, started: now)
        deadline = now + loop.shared.limits.headTimeout
    }

    var shared: GatewayContext { loop.shared }

    /// Whether the client speaks TLS: to the gateway, or to the trusted proxy in front of it.
    var clientIsSecure: Bool { exchange.forwardedSecure ?? isSecure }

    // MARK: Life of the channel

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        loop.add(self)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        loop.remove(self)
        self.context = nil
    }

    func channelInactive(context: ChannelHandlerContext) {
        loop.remove(self)
        abandonUpstream()
        phase = .closed
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard phase == .idle, error is HTTPParserError || error is NIOHTTPDecoderError else {
            // In the midst of an exchange the other end is gone or broken; between two, what it sent is no HTTP.
            abort()
            return
        }
        exchange = Exchange(ticket: exchange.ticket &+ 1, started: .now())
        exchange.keepsAlive = false
        exchange.requestIsComplete = true
        exchange.requestID = loop.identities.requestID()
        exchange.traceParent = loop.identities.traceParent()
        refuse(.badRequest)
    }

    /// Ends the connection at once.
    func abort() {
        abandonUpstream()
        phase = .closed
        context?.close(promise: nil)
    }

    /// Asks the client to go: at once when idle, after its response otherwise.
    func drain() {
        exchange.keepsAlive = false
        if phase == .idle, transport == .http1 { abort() }
    }

    /// Gives the service's connection up in the midst of an exchange.
    func abandonUpstream() {
        exchange.ticket &+= 1
        guard let upstream else { return }
        self.upstream = nil
        upstream.pool.discard(upstream)
    }

    // MARK: Reading

    /// Whether more of the request may be read: not while the service cannot take it, nor past the next request.
    private var mayRead: Bool {
        guard backlog.isEmpty else { return false }
        // The parser would only keep what it does not parse.
        if exchange.isLast, exchange.requestIsComplete { return false }
        switch phase {
        case .connecting: return exchange.pendingBodyBytes < Self.maximumPendingBodyBytes
        case .forwarding: return exchange.requestIsComplete || (upstream?.isWritable ?? true)
        // What is gathered is bounded, and its end has to be read.
        case .idle, .gathering, .discarding, .closed: return true
        }
    }

    func read(context: ChannelHandlerContext) {
        if mayRead { context.read() } else { readPending = true }
    }

    func resumeReading() {
        guard readPending, mayRead else { return }
        readPending = false
        context?.read()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let part = unwrapInboundIn(data)
        if !backlog.isEmpty || (exchange.requestIsComplete && phase != .idle) {
            if phase != .closed { backlog.append(part) }
            return
        }
        receive(part)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if phase == .forwarding { upstream?.flush() }
    }

    private func receive(_ part: HTTPServerRequestPart) {
        switch part {
        case .head(let head): begin(head)
        case .body(let body): receive(body: body)
        case .end: receiveEnd()
        }
    }

    /// Serves the requests that arrived before their turn, until one of them has to wait.
    func serveBacklog() {
        guard !isServingBacklog else { return }
        isServingBacklog = true
        while !exchange.requestIsComplete || phase == .idle, phase != .closed, let part = backlog.popFirst() {
            receive(part)
        }
        isServingBacklog = false
        if phase == .forwarding { upstream?.flush() }
        resumeReading()
    }

    private func receive(body: ByteBuffer) {
        guard phase == .gathering || phase == .connecting || phase == .forwarding else { return }
        exchange.receivedBodyBytes += body.readableBytes
        if exchange.receivedBodyBytes > exchange.route?.maximumBodyBytes ?? 0 { return refuse(.bodyTooLarge) }
        if case .none = exchange.framing { return refuse(.badRequest) }
        if phase == .gathering { return gather(body) }
        if let upstream, phase == .forwarding {
            upstream.write(.body(.byteBuffer(body)))
        } else {
            exchange.pendingBody.append(body)
            exchange.pendingBodyBytes += body.readableBytes
        }
    }

    private func receiveEnd() {
        exchange.requestIsComplete = true
        switch phase {
        case .forwarding:
            if exchange.hasBody { exchange.sent = .now() }
            upstream?.write(.end(nil))
            upstream?.flush()
        case .gathering: sendGathered()
        case .discarding: completeExchange()
        case .idle, .connecting, .closed: break
        }
    }

    // MARK: Time

    func sweep(now: NIODeadline) {
        if now < deadline {
            if isWaitingInVain(now), !resend(), !fallBack() { refuse(.unavailable) }
            return
        }
        switch phase {
        case .idle, .discarding, .closed: abort()
        case .gathering, .connecting, .forwarding:
            if exchange.responseHasBegun { return abort() }
            // A request that is still arriving is the client's delay, not the service's (RFC 9110 §15.5.9).
            guard exchange.requestIsComplete else {
                exchange.keepsAlive = false
                return refuse(.requestTimeout)
            }
            replica?.failed()
            if let route = exchange.route, phase == .forwarding {
                loop.group(route.upstream).recordLatency(now - exchange.sent, route.priority)
            }
            if !fallBack() { refuse(.deadlineExceeded) }
        }
    }

    /// Whether a replica has the request that does not even say that it lives.
    private func isWaitingInVain(_ now: NIODeadline) -> Bool {
        guard phase == .forwarding || phase == .connecting, !exchange.responseHasBegun, exchange.requestIsComplete,
            let replica, replica.isLost
        else { return false }
        return now - exchange.countsFrom > shared.configuration.silenceTimeout
    }
}
