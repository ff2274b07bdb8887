internal import NIOHTTP1

/// What becomes of a header field on its way through, by name. Switching on the length first keeps it cheap.
enum HeaderRules {
    /// How a request header is treated.
    enum RequestField {
        /// Passed on as it is.
        case forward
        /// Hop-by-hop (RFC 9110 §7.6.1), or one that the gateway alone sets for services: dropped.
        case drop
        case host, connection, upgrade, contentLength, transferEncoding, expect
        case authorization, origin, requestID, traceParent, accessControlRequestMethod
        /// What a trusted proxy says of the client; of anybody else it is dropped.
        case forwardedFor, forwardedProto
    }

    /// Classifies a header of a client's request.
    static func classify(request name: String) -> RequestField {
        guard let first = name.utf8.first else { return .drop }
        if Ascii.lowercased(first) == UInt8(ascii: "x") {
            if Ascii.equalIgnoringCase(name, "x-request-id") { return .requestID }
            if Ascii.equalIgnoringCase(name, "x-forwarded-for") { return .forwardedFor }
            if Ascii.equalIgnoringCase(name, "x-forwarded-proto") { return .forwardedProto }
            return isInternal(name) ? .drop : .forward
        }
        return switch name.utf8.count {
        case 2: Ascii.equalIgnoringCase(name, "te") ? .drop : .forward
        case 4: Ascii.equalIgnoringCase(name, "host") ? .host : .forward
        case 6 where Ascii.equalIgnoringCase(name, "origin"): .origin
        case 6 where Ascii.equalIgnoringCase(name, "expect"): .expect
        case 7 where Ascii.equalIgnoringCase(name, "upgrade"): .upgrade
        case 7: Ascii.equalIgnoringCase(name, "trailer") ? .drop : .forward
        case 9: Ascii.equalIgnoringCase(name, "forwarded") ? .drop : .forward
        case 10 where Ascii.equalIgnoringCase(name, "connection"): .connection
        case 10: Ascii.equalIgnoringCase(name, "keep-alive") ? .drop : .forward
        case 11: Ascii.equalIgnoringCase(name, "traceparent") ? .traceParent : .forward
        case 13: Ascii.equalIgnoringCase(name, "authorization") ? .authorization : .forward
        case 14 where Ascii.equalIgnoringCase(name, "content-length"): .contentLength
        case 17 where Ascii.equalIgnoringCase(name, "transfer-encoding"): .transferEncoding
        case 29: Ascii.equalIgnoringCase(name, "access-control-request-method") ? .accessControlRequestMethod : .forward
        case 14...19: isProxyField(name) ? .drop : .forward
        default: .forward
        }
    }

    private static func isProxyField(_ name: String) -> Bool {
        Ascii.equalIgnoringCase(name, "proxy-connection") || Ascii.equalIgnoringCase(name, "proxy-authorization")
            || Ascii.equalIgnoringCase(name, "proxy-authenticate") || Ascii.equalIgnoringCase(name, "http2-settings")
    }

    /// The headers that only the gateway, or a service, sets: a client's copies would be believed.
    private static func isInternal(_ name: String) -> Bool {
        Ascii.hasPrefixIgnoringCase(name, "x-forwarded-")
            || Ascii.hasPrefixIgnoringCase(name, "x-internal-")
            || Ascii.hasPrefixIgnoringCase(name, "x-authms-")
            || Ascii.hasPrefixIgnoringCase(name, "x-service-")
            || Ascii.equalIgnoringCase(name, "x-real-ip")
            || Ascii.equalIgnoringCase(name, "x-request-deadline-ms")
            || Ascii.equalIgnoringCase(name, "x-original-url")
            || Ascii.equalIgnoringCase(name, "x-rewrite-url")
            || Ascii.equalIgnoringCase(name, "x-http-method-override")
    }

    /// How a response header is treated.
    enum ResponseField {
        case forward, drop
        case connection, contentLength, cacheControl
    }

    /// Classifies a header of a service's response. Framing, identity, CORS and security headers are the gateway's to
    /// set, so the service's copies are dropped rather than doubled.
    static func classify(response name: String) -> ResponseField {
        switch name.utf8.count {
        case 7: Ascii.equalIgnoringCase(name, "trailer") || Ascii.equalIgnoringCase(name, "upgrade") ? .drop : .forward
        case 10:
            if Ascii.equalIgnoringCase(name, "connection") {
                .connection
            } else {
                Ascii.equalIgnoringCase(name, "keep-alive") ? .drop : .forward
            }
        case 11 where Ascii.equalIgnoringCase(name, "traceparent"): .drop
        case 12 where Ascii.equalIgnoringCase(name, "x-request-id"): .drop
        case 13 where Ascii.equalIgnoringCase(name, "cache-control"): .cacheControl
        case 14 where Ascii.equalIgnoringCase(name, "content-length"): .contentLength
        case 16 where Ascii.equalIgnoringCase(name, "proxy-connection"): .drop
        case 17 where Ascii.equalIgnoringCase(name, "transfer-encoding"): .drop
        case 18 where Ascii.equalIgnoringCase(name, "proxy-authenticate"): .drop
        case 22
        where Ascii.equalIgnoringCase(name, "x-content-type-options") || Ascii.equalIgnoringCase(name, notActedOn):
            .drop
        case 25 where Ascii.equalIgnoringCase(name, "strict-transport-security"): .drop
        case 22... where Ascii.hasPrefixIgnoringCase(name, "access-control-"): .drop
        default: .forward
        }
    }

    /// On a 503: the service has done nothing for the request, nor will.
    private static let notActedOn: StaticString = "x-request-not-acted-on"

    /// Whether a response says that.
    static func isNotActedOn(_ head: HTTPResponseHead) -> Bool {
        head.status == .serviceUnavailable && head.headers.contains(name: "\(notActedOn)")
    }

    /// Removes the fields that a `Connection` header nominates as meant for this hop alone.
    static func removeNominated(by connection: String, from headers: inout HTTPHeaders) {
        if Ascii.equalIgnoringCase(connection, "keep-alive") || Ascii.equalIgnoringCase(connection, "close") { return }
        for token in connection.utf8.split(separator: UInt8(ascii: ",")) {
            let name = String(Substring(token)).filter { $0 != " " && $0 != "\t" }
            if !name.isEmpty { headers.remove(name: name) }
        }
    }

    /// Whether a header value that did not come through the HTTP/1 parser may be sent on in HTTP/1 (RFC 9110 §5.5).
    static func isSafe(value: String) -> Bool {
        value.utf8.allSatisfy { ($0 >= 0x20 && $0 != 0x7F) || $0 == 0x09 }
    }

    /// Whether a header name that did not come through the HTTP/1 parser is a token (RFC 9110 §5.6.2).
    static func isSafe(name: String) -> Bool {
        !name.isEmpty
            && name.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), 0x21, 0x23...0x27, 0x2A, 0x2B, 0x2D, 0x2E, 0x5E...0x60,
                    0x7C, 0x7E:
                    true
                default: false
                }
            }
    }
}
