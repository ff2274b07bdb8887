internal import NIOCore
internal import NIOHTTP1

/// From a request's head to a service's connection.
extension ClientHandler {
    /// Body bytes that are read and dropped to keep a connection whose request was refused.
    private static let maximumDroppedBytes = 65_536
    private static let deadlineField = "X-Request-Deadline-Ms"

    func begin(_ head: HTTPRequestHead) {
        exchange = Exchange(ticket: exchange.ticket &+ 1, started: .now())
        exchange.isHead = head.method == .HEAD
        exchange.keepsAlive = head.version.major == 2 || (head.version.minor >= 1 && head.isKeepAlive)
        exchange.takesChunks = head.version == .http1_1
        if shared.isDraining { exchange.keepsAlive = false }
        exchange.isLast = transport == .http1 && head.method == .CONNECT

        var fields = RequestFields(capacity: head.headers, trustsPeer: isTrustedPeer)
        let isWellFormed = fields.read(head, transport: transport)
        exchange.requestID = fields.requestID ?? loop.identities.requestID()
        exchange.traceParent = fields.traceParent ?? loop.identities.traceParent()
        exchange.framing = fields.framing
        exchange.expectsContinue = fields.expectsContinue
        exchange.authorization = fields.authorization
        exchange.isSensitive = fields.authorization != nil
        // No other protocol is spoken here; the request is answered as it is.
        if transport == .http1, fields.asksForUpgrade { exchange.isLast = true }
        if exchange.isLast { exchange.keepsAlive = false }
        if isTrustedPeer {
            exchange.forwardedClient = fields.forwardedFor.flatMap { shared.proxies.client(forwardedFor: $0) }
            exchange.forwardedSecure = fields.forwardedProto.flatMap { shared.proxies.isSecure(forwardedProto: $0) }
        }
        if fields.hasUnheardClient { shared.noteUnheardClient(from: peer) }
        if let origin = fields.origin, shared.cors.allows(origin) { exchange.origin = origin }
        guard isWellFormed, head.version.major == 2 || head.version.major == 1,
            head.uri.utf8.count <= shared.limits.maximumTargetBytes
        else {
            exchange.keepsAlive = false
            return refuse(.badRequest)
        }
        if head.method == .OPTIONS, let method = fields.preflightMethod {
            return answerPreflight(method, fields.origin)
        }
        if head.method == .OPTIONS, head.uri == "*" { return answerServerOptions() }
        if head.method == .CONNECT || head.method == .TRACE {
            return refuse(.methodNotAllowed, allowing: CORSPolicy.allowedMethods)
        }
        dispatch(head, fields.headers)
    }

    private func dispatch(_ head: HTTPRequestHead, _ headers: HTTPHeaders) {
        var uri = head.uri
        let decision = uri.withUTF8 { shared.routes.decide(method: head.method, target: $0) }
        switch decision {
        case .malformed: refuse(.badRequest)
        case .notFound: refuse(.notFound)
        case .notRouted(let target):
            answerOwn(head.method, path: uri.utf8Text(target.pathStart..<target.pathEnd))
        case .service(let route):
            exchange.route = route
            if route.isAuthentication { exchange.isSensitive = true }
            if !route.isPublic, let refusal = checkToken() { return refuse(refusal) }
            if case .length(let length) = exchange.framing, length > route.maximumBodyBytes {
                return refuse(.bodyTooLarge)
            }
            guard loop.group(route.upstream).admits(route.priority) else { return refuse(.overloaded) }
            forward(head, uri.utf8Text(route.pathOffset..<uri.utf8.count), headers, route)
        }
    }

    /// Verifies the bearer token (RFC 6750 §2.1).
    private func checkToken() -> Refusal? {
        guard let value = exchange.authorization, value.utf8.count > 7,
            Ascii.hasPrefixIgnoringCase(value, "bearer ")
        else { return .tokenInvalid }
        switch shared.verifier.verdict(on: value.utf8Text(7..<value.utf8.count)) {
        case .valid: return nil
        case .invalid: return .tokenInvalid
        case .expired: return .tokenExpired
        case .revoked: return .tokenRevoked
        }
    }

    private func forward(_ head: HTTPRequestHead, _ uri: String, _ kept: HTTPHeaders, _ route: Route) {
        var headers = kept
        if let authorization = exchange.authorization { headers.add(name: "Authorization", value: authorization) }
        headers.add(name: "X-Request-Id", value: exchange.requestID)
        headers.add(name: "traceparent", value: exchange.traceParent)
        headers.add(name: "X-Forwarded-For", value: exchange.forwardedClient ?? peer)
        headers.add(name: "X-Forwarded-Proto", value: clientIsSecure ? "https" : "http")
        exchange.fallback = exchange.canBeSentTwice ? route.fallback : nil
        let patience = exchange.fallback?.afterMilliseconds ?? route.deadlineMilliseconds
        headers.add(name: Self.deadlineField, value: String(patience * 49 / 50))
        switch exchange.framing {
        case .none: break
        case .length(let length): headers.add(name: "Content-Length", value: String(length))
        case .chunked: headers.add(name: "Transfer-Encoding", value: "chunked")
        }
        exchange.forwardHead = HTTPRequestHead(version: .http1_1, method: head.method, uri: uri, headers: headers)
        exchange.mayRetry = !exchange.hasBody && head.method.isIdempotent
        deadline = exchange.started + .milliseconds(Int64(patience))
        if exchange.expectsContinue {
            exchange.expectsContinue = false
            write(.head(HTTPResponseHead(version: .http1_1, status: .continue)))
            context?.flush()
        }
        if exchange.fallback != nil, exchange.hasBody { return beginGathering(route) }
        loop.group(route.upstream).recordRequest()
        acquire(fresh: false)
    }

    /// Gives the request to a replica of the service: to one that has not been asked yet.
    func acquire(fresh: Bool) {
        guard let route = exchange.route else { return }
        let group = loop.group(route.upstream)
        guard let replica = group.choose(except: exchange.tried) else { return giveUp(group.refusal) }
        self.replica = replica
        switch replica.acquire(for: self, ticket: exchange.ticket, fresh: fresh) {
        case .ready(let connection): upstreamReady(connection)
        case .connecting: phase = .connecting
        case .refused(let refusal): giveUp(refusal)
        }
    }

    private func giveUp(_ refusal: Refusal) {
        if refusal == .unavailable, fallBack() { return }
        refuse(refusal)
    }

    /// Sends a request that a replica may have seen once more, to another one where there is one.
    ///
    /// - Parameter isStale: whether the connection had been kept alive, so that the same replica may well answer.
    /// - Returns: false when it must not be, or a tenth of the requests have been sent twice already.
    func resend(isStale: Bool = false) -> Bool {
        guard exchange.mayRetry, exchange.requestIsComplete, !exchange.responseHasBegun, let replica,
            let route = exchange.route
        else { return false }
        let group = loop.group(route.upstream)
        let hasOther = group.choose(except: exchange.tried | replica.bit) != nil
        guard hasOther || isStale, group.takeResend() else { return false }
        if hasOther { exchange.tried |= replica.bit }
        exchange.mayRetry = false
        abandonUpstream()
        hurry(until: exchange.route?.deadlineMilliseconds ?? RouteTable.defaultDeadlineMilliseconds)
        phase = .connecting
        shared.metrics.resent(upstream: group.index)
        acquire(fresh: true)
        return true
    }

    /// Asks the second service, where there is one: the first has given no answer.
    ///
    /// It adds no load to the service that is in trouble, and one request for one to the other, so it needs no budget.
    ///
    /// Where the first service may have done what it was asked for and only its answer is lost, the second is asked however
    /// busy it is: it sees to it that an exchange that nobody learned of is taken back, and unless it is asked, the next try
    /// with the same refresh token is taken for theft (RFC 9700 §4.14.2). There are no more of these than the first service's
    /// own limit has let in.
    ///
    /// - Parameter isDeclined: whether the first service has said that it did nothing.
    /// - Returns: false when there is none, it was asked already, or the request's time is up; then the caller refuses.
    func fallBack(isDeclined: Bool = false) -> Bool {
        guard let fallback = exchange.fallback, exchange.forwardHead != nil, !exchange.responseHasBegun else {
            return false
        }
        let limit = exchange.route?.deadlineMilliseconds ?? RouteTable.defaultDeadlineMilliseconds
        // Before anything is given up: the caller may have an answer to hand on instead.
        guard millisecondsLeft(of: limit) > 0 else { return false }
        let mayHaveActed = phase == .forwarding && !isDeclined
        abandonUpstream()
        exchange.fallback = nil
        exchange.route?.upstream = fallback.upstream
        exchange.forwardHead?.uri = fallback.target
        hurry(until: limit)
        exchange.tried = 0
        exchange.pendingBody = exchange.keptBody
        exchange.pendingBodyBytes = exchange.receivedBodyBytes
        exchange.keptBody = []
        exchange.mayRetry = false
        // What is written to a connection that is ready is flushed only for those who waited for it.
        phase = .connecting
        shared.metrics.fellBack(upstream: fallback.upstream)
        let priority = exchange.route?.priority
        if !mayHaveActed, let priority, !loop.group(fallback.upstream).admits(priority) {
            refuse(.overloaded)
        } else {
            acquire(fresh: false)
        }
        return true
    }

    /// Tells the service how much is left of the request's time.
    func hurry(until limit: Int) {
        // With a fallback to come, what was said at first still holds.
        let left = millisecondsLeft(of: limit)
        guard exchange.fallback == nil, left > 0 else { return }
        deadline = exchange.countsFrom + .milliseconds(Int64(limit))
        exchange.forwardHead?.headers.replaceOrAdd(name: Self.deadlineField, value: String(left * 49 / 50))
    }

    private func millisecondsLeft(of limit: Int) -> Int {
        Int((exchange.countsFrom + .milliseconds(Int64(limit)) - .now()).nanoseconds / 1_000_000)
    }

    /// Whether the exchange that `ticket` names still waits for a connection.
    func awaits(_ ticket: UInt64) -> Bool {
        phase == .connecting && exchange.ticket == ticket
    }

    /// A connection to the service is there: what has arrived of the request goes out.
    func upstreamReady(_ connection: UpstreamHandler) {
        guard let head = exchange.forwardHead else { return }
        let waited = phase == .connecting
        phase = .forwarding
        upstream = connection
        connection.write(.head(head))
        for body in exchange.pendingBody { connection.write(.body(.byteBuffer(body))) }
        exchange.pendingBody = []
        exchange.pendingBodyBytes = 0
        if exchange.requestIsComplete { connection.write(.end(nil)) }
        if waited {
            exchange.sent = .now()
            connection.flush()
            resumeReading()
        }
    }

    /// No connection to the replica could be made. Nothing of the request has left, so that the next one may have it,
    /// whatever it asks for.
    func upstreamUnreachable() {
        if let replica { exchange.tried |= replica.bit }
        acquire(fresh: false)
    }

    /// The service closed the connection before the response was complete.
    func upstreamClosed(reused: Bool, answered: Bool) {
        upstream = nil
        guard phase == .forwarding else { return }
        // The part of a response that is out cannot be taken back; cutting it short tells the client.
        if answered { return abort() }
        if !reused { replica?.failed() }
        if !resend(isStale: reused), !fallBack() { refuse(.unavailable) }
    }

    func upstreamWritabilityChanged() {
        resumeReading()
    }

    /// Whether the rest of a refused request is little enough to be read and dropped.
    var canDropRest: Bool {
        if exchange.requestIsComplete { return true }
        if exchange.expectsContinue { return false }
        return switch exchange.framing {
        case .none: true
        case .length(let length): length <= Self.maximumDroppedBytes
        case .chunked: false
        }
    }
}

extension HTTPMethod {
    /// Idempotent by RFC 9110 §9.2.2, as far as services of ours use it.
    var isIdempotent: Bool {
        switch self {
        case .GET, .HEAD, .OPTIONS, .PUT, .DELETE: true
        default: false
        }
    }
}

extension String {
    /// The text between two offsets in UTF-8. The offsets must not cut a character in two.
    func utf8Text(_ range: Range<Int>) -> String {
        String(
            self[
                utf8.index(startIndex, offsetBy: range.lowerBound)..<utf8.index(startIndex, offsetBy: range.upperBound)]
        )
    }
}
