internal import NIOCore
internal import NIOHTTP1

/// One request and its response, as the client's handler sees them.
struct Exchange {
    /// How the length of the request's body is known.
    enum BodyFraming {
        case none
        case length(Int)
        case chunked
    }

    /// Tells this exchange from the ones before it on the same connection.
    var ticket: UInt64
    var started: NIODeadline
    /// From when on its time counts: from its start, or where it was gathered first, from when it was complete.
    var countsFrom: NIODeadline
    /// When the whole of the request had gone to the service.
    var sent: NIODeadline
    var requestID = ""
    var traceParent = ""
    /// The `Origin` of the request when CORS allows it.
    var origin: String?
    var authorization: String?
    /// The client's address, and whether it spoke TLS, where a trusted proxy in front of the gateway knows better than the
    /// connection.
    var forwardedClient: String?
    var forwardedSecure: Bool?
    var framing = BodyFraming.none
    var isHead = false
    var keepsAlive = true
    /// Whether the client understands chunked transfer coding: HTTP/1.1 and no other.
    var takesChunks = false
    var expectsContinue = false
    /// Whether the response must not be stored unless the service says how.
    var isSensitive = false
    var route: Route?
    /// The head for the service; kept until the response begins, for the one retry.
    var forwardHead: HTTPRequestHead?
    var mayRetry = false
    /// The replicas of the present service that were asked in vain, a bit each.
    var tried: UInt64 = 0
    /// Who else may answer; nil once asked, or when the request cannot be sent twice.
    var fallback: Route.Fallback?
    /// The body as it was gathered, for the fallback.
    var keptBody: [ByteBuffer] = []
    /// What has arrived of the body and has not gone to a service.
    var pendingBody: [ByteBuffer] = []
    var pendingBodyBytes = 0
    var receivedBodyBytes = 0
    var requestIsComplete = false
    /// Whether nothing after the request will be parsed: it asked for another protocol, which the parser takes the rest
    /// of the connection for.
    var isLast = false
    var responseHasBegun = false
    var status = 0

    /// Whether the request may have a body: what was streamed once cannot be sent again.
    var hasBody: Bool {
        switch framing {
        case .none, .length(0): false
        case .length, .chunked: true
        }
    }

    /// The largest body that is kept for a second service.
    static let maximumKeptBodyBytes = 65_536

    /// Whether the request is small enough to be kept until a service has answered it. Of one that does not say how large it is
    /// that is so until more has come.
    var canBeSentTwice: Bool {
        switch framing {
        case .none, .chunked: true
        case .length(let length): length <= Self.maximumKeptBodyBytes
        }
    }

    init(ticket: UInt64, started: NIODeadline) {
        self.ticket = ticket
        self.started = started
        countsFrom = started
        sent = started
    }
}
