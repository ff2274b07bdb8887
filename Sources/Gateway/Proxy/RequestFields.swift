internal import NIOHTTP1

/// The headers of a request, sorted into what the gateway acts on and what the service gets.
struct RequestFields {
    /// What is passed on, but for what the gateway sets itself.
    var headers = HTTPHeaders()
    var requestID: String?
    var traceParent: String?
    var authorization: String?
    var origin: String?
    var preflightMethod: String?
    var framing = Exchange.BodyFraming.none
    var expectsContinue = false
    /// What a trusted peer says of the client; nil of any other.
    var forwardedFor: String?
    var forwardedProto: String?
    /// Whether somebody who is not trusted says who the client is.
    private(set) var hasUnheardClient = false
    private let trustsPeer: Bool
    private var hasUpgrade = false
    private var connection: String?
    private var hosts = 0
    private var lengths = 0
    private var isMalformed = false

    /// - Parameter trustsPeer: whether the other end of the connection is a proxy whose word on the client holds.
    init(capacity headers: HTTPHeaders, trustsPeer: Bool) {
        self.trustsPeer = trustsPeer
        // Room for the eight that the gateway may add.
        self.headers.reserveCapacity(headers.capacity + 8)
    }

    /// Reads the head.
    ///
    /// - Returns: false when the request must be refused: its framing, or who it is for, can be read in two ways
    ///   (RFC 9112 §3.2, §6.3), or a header could not be sent on in HTTP/1.
    mutating func read(_ head: HTTPRequestHead, transport: ClientHandler.Transport) -> Bool {
        for (name, value) in head.headers {
            if transport == .http2, !HeaderRules.isSafe(name: name) || !HeaderRules.isSafe(value: value) {
                return false
            }
            read(name, value)
        }
        if let connection { HeaderRules.removeNominated(by: connection, from: &headers) }
        if hosts != 1, !(hosts == 0 && head.version.minor == 0 && head.version.major == 1) { return false }
        if case .chunked = framing, head.version.major == 1, head.version.minor == 0 { return false }
        return !isMalformed
    }

    private mutating func read(_ name: String, _ value: String) {
        switch HeaderRules.classify(request: name) {
        case .forward: headers.add(name: name, value: value)
        case .drop: break
        case .host:
            hosts += 1
            headers.add(name: name, value: value)
        case .upgrade: hasUpgrade = true
        case .connection: connection = connection.map { "\($0),\(value)" } ?? value
        case .contentLength: readLength(value)
        case .transferEncoding:
            // Nothing but a sole "chunked" is understood, and never beside a length: that is how smuggling begins.
            if lengths > 0 || !Ascii.equalIgnoringCase(value, "chunked") { isMalformed = true }
            if case .chunked = framing { isMalformed = true }
            framing = .chunked
        case .expect:
            if Ascii.equalIgnoringCase(value, "100-continue") { expectsContinue = true } else { isMalformed = true }
        case .authorization:
            if authorization != nil { isMalformed = true }
            authorization = value
        case .origin:
            origin = value
            headers.add(name: name, value: value)
        case .requestID: if RequestIdentitySource.isAcceptable(requestID: value) { requestID = value }
        case .traceParent: if RequestIdentitySource.isAcceptable(traceParent: value) { traceParent = value }
        case .accessControlRequestMethod: preflightMethod = value
        case .forwardedFor where trustsPeer: forwardedFor = forwardedFor.map { "\($0),\(value)" } ?? value
        case .forwardedProto where trustsPeer: forwardedProto = value
        case .forwardedFor: hasUnheardClient = true
        case .forwardedProto: break
        }
    }

    /// Whether the request asks to go on in another protocol (RFC 9110 §7.8), as far as the parser might think so.
    var asksForUpgrade: Bool {
        hasUpgrade && (connection?.lowercased().contains("upgrade") ?? false)
    }

    private mutating func readLength(_ value: String) {
        lengths += 1
        let digits = value.utf8
        let isNumber = !digits.isEmpty && digits.allSatisfy { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }
        guard lengths == 1, isNumber, let length = Int(value) else {
            isMalformed = true
            return
        }
        if case .chunked = framing { isMalformed = true }
        framing = .length(length)
    }
}
