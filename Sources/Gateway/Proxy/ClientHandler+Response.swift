internal import NIOCore
internal import NIOHTTP1

/// From a service's response, or the gateway's own, to the client.
extension ClientHandler {
    /// How long a client may take to notice that its refused request is not read any further.
    private static let lingerTimeout = TimeAmount.seconds(2)

    func write(_ part: HTTPServerResponsePart) {
        context?.write(wrapOutboundOut(part), promise: nil)
    }

    // MARK: A service's response

    func upstreamResponded(_ head: HTTPResponseHead) {
        if HeaderRules.isNotActedOn(head), fallBack(isDeclined: true) { return }
        exchange.responseHasBegun = true
        exchange.forwardHead = nil
        exchange.status = Int(head.status.code)
        let now = NIODeadline.now()
        deadline = now + shared.limits.streamTimeout
        if let route = exchange.route, exchange.requestIsComplete {
            loop.group(route.upstream).recordLatency(now - exchange.sent, route.priority)
        }
        var headers = HTTPHeaders()
        headers.reserveCapacity(head.headers.capacity + 8)
        var hasLength = false
        var hasCacheControl = false
        var connection: String?
        for (name, value) in head.headers {
            switch HeaderRules.classify(response: name) {
            case .forward: headers.add(name: name, value: value)
            case .drop: break
            case .connection: connection = value
            case .contentLength:
                hasLength = true
                headers.add(name: name, value: value)
            case .cacheControl:
                hasCacheControl = true
                headers.add(name: name, value: value)
            }
        }
        if let connection { HeaderRules.removeNominated(by: connection, from: &headers) }
        addCommonHeaders(to: &headers, hasCacheControl: hasCacheControl)
        let hasBody = !exchange.isHead && head.status.mayHaveResponseBody
        if hasBody, !hasLength, exchange.takesChunks { headers.add(name: "Transfer-Encoding", value: "chunked") }
        write(.head(HTTPResponseHead(version: .http1_1, status: head.status, headers: headers)))
    }

    func upstreamSent(_ body: ByteBuffer) {
        deadline = .now() + shared.limits.streamTimeout
        write(.body(.byteBuffer(body)))
        if context?.channel.isWritable == false { upstream?.pauseReading() }
    }

    /// The service has sent all that it has for now.
    func upstreamPaused() {
        if exchange.responseHasBegun { context?.flush() }
    }

    func upstreamFinished() {
        if let upstream {
            self.upstream = nil
            upstream.resumeReading()
            if exchange.requestIsComplete { upstream.pool.release(upstream) } else { upstream.pool.discard(upstream) }
        }
        finishResponse()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { upstream?.resumeReading() }
        context.fireChannelWritabilityChanged()
    }

    // MARK: The gateway's own

    /// Answers with an error envelope. A response that has begun cannot be replaced: then the connection ends.
    ///
    /// - Parameter methods: what `Allow` says, which a 405 must have (RFC 9110 §15.5.6).
    func refuse(_ refusal: Refusal, allowing methods: String? = nil) {
        guard !exchange.responseHasBegun else { return abort() }
        abandonUpstream()
        if !canDropRest { exchange.keepsAlive = false }
        var headers = HTTPHeaders()
        headers.reserveCapacity(12)
        if let seconds = refusal.retryAfterSeconds(jitter: loop.identities.jitter()) {
            headers.add(name: "Retry-After", value: seconds)
        }
        if let methods { headers.add(name: "Allow", value: methods) }
        if let challenge = refusal.challenge { headers.add(name: "WWW-Authenticate", value: challenge) }
        headers.add(name: "Cache-Control", value: "no-store")
        var body = ByteBufferAllocator().buffer(capacity: 320)
        refusal.writeEnvelope(requestID: exchange.requestID, timestamp: loop.clock.timestamp, into: &body)
        respond(refusal.status, "application/json; charset=utf-8", headers, body)
    }

    /// Answers a preflight (Fetch standard §3.2.2): allowed, for the browser to remember, or refused.
    func answerPreflight(_ method: String, _ origin: String?) {
        guard exchange.origin != nil else { return refuse(.originRefused) }
        var headers = HTTPHeaders()
        headers.add(name: "Access-Control-Allow-Methods", value: CORSPolicy.allowedMethods)
        headers.add(name: "Access-Control-Allow-Headers", value: CORSPolicy.allowedHeaders)
        headers.add(name: "Access-Control-Max-Age", value: CORSPolicy.preflightLifetimeSeconds)
        headers.add(name: "Vary", value: "Access-Control-Request-Method, Access-Control-Request-Headers")
        respond(.noContent, nil, headers, ByteBuffer())
    }

    /// Answers `OPTIONS *`, which asks about the server as a whole and often whether it is there (RFC 9110 §9.3.7).
    func answerServerOptions() {
        var headers = HTTPHeaders()
        headers.add(name: "Allow", value: CORSPolicy.allowedMethods)
        respond(.noContent, nil, headers, ByteBuffer())
    }

    /// Answers one of the gateway's own paths.
    func answerOwn(_ method: HTTPMethod, path: String) {
        let answer: OwnEndpoints.Answer
        do throws(Refusal) {
            answer = try shared.endpoints.answer(path: path, context: shared, timestamp: loop.clock.timestamp)
        } catch {
            return refuse(error)
        }
        guard method == .GET || method == .HEAD else { return refuse(.methodNotAllowed, allowing: "GET, HEAD") }
        var headers = HTTPHeaders()
        headers.add(name: "Cache-Control", value: answer.cacheControl)
        if let policy = answer.contentSecurityPolicy { headers.add(name: "Content-Security-Policy", value: policy) }
        respond(answer.status, answer.contentType, headers, answer.body)
    }

    private func respond(
        _ status: HTTPResponseStatus, _ contentType: String?, _ extra: HTTPHeaders, _ body: ByteBuffer
    ) {
        var headers = extra
        headers.add(name: "Date", value: loop.clock.httpDate)
        if let contentType {
            headers.add(name: "Content-Type", value: contentType)
            headers.add(name: "Content-Length", value: String(body.readableBytes))
        }
        addCommonHeaders(to: &headers, hasCacheControl: true)
        exchange.responseHasBegun = true
        exchange.status = Int(status.code)
        write(.head(HTTPResponseHead(version: .http1_1, status: status, headers: headers)))
        if body.readableBytes > 0, !exchange.isHead { write(.body(.byteBuffer(body))) }
        finishResponse()
    }

    // MARK: The end of an exchange

    private func addCommonHeaders(to headers: inout HTTPHeaders, hasCacheControl: Bool) {
        headers.add(name: "X-Request-Id", value: exchange.requestID)
        headers.add(name: "traceparent", value: exchange.traceParent)
        headers.add(name: "X-Content-Type-Options", value: "nosniff")
        if exchange.isSensitive, !hasCacheControl { headers.add(name: "Cache-Control", value: "no-store") }
        if clientIsSecure {
            headers.add(name: "Strict-Transport-Security", value: "max-age=31536000; includeSubDomains")
        }
        if let origin = exchange.origin {
            headers.add(name: "Access-Control-Allow-Origin", value: origin)
            headers.add(name: "Access-Control-Allow-Credentials", value: "true")
            headers.add(name: "Access-Control-Expose-Headers", value: CORSPolicy.exposedHeaders)
            headers.add(name: "Vary", value: "Origin")
        }
        if shared.isDraining { exchange.keepsAlive = false }
        if !exchange.keepsAlive, transport == .http1 { headers.add(name: "Connection", value: "close") }
    }

    /// The last part of a response: after it the exchange, or the connection, is over.
    private func finishResponse() {
        shared.metrics.finished(exchange)
        let closes = !exchange.keepsAlive && exchange.requestIsComplete && transport == .http1
        guard closes, let context else {
            context?.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
            phase = .discarding
            if exchange.requestIsComplete { return completeExchange() }
            deadline = .now() + Self.lingerTimeout
            return resumeReading()
        }
        closeAfterEnd(context)
    }

    private func closeAfterEnd(_ context: ChannelHandlerContext) {
        phase = .closed
        backlog.removeAll()
        // Closing drops what is not written yet, so it waits for the last byte to be.
        let written = context.eventLoop.makePromise(of: Void.self)
        written.futureResult.assumeIsolated().whenComplete { _ in self.context?.close(promise: nil) }
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: written)
    }

    /// Both the request and the response are complete.
    func completeExchange() {
        guard exchange.keepsAlive || transport == .http2 else { return abort() }
        phase = transport == .http2 ? .closed : .idle
        exchange.route = nil
        deadline = .now() + shared.limits.idleTimeout
        if backlog.isEmpty { resumeReading() } else { serveBacklog() }
    }
}
