internal import Contracts
package import NIOCore
internal import NIOHTTP1

/// The answers that the gateway gives itself when a request cannot, or must not, reach a service.
package enum Refusal: Error, CaseIterable {
    case badRequest
    case tokenInvalid
    case tokenRevoked
    case tokenExpired
    case originRefused
    case notFound
    case methodNotAllowed
    case requestTimeout
    case bodyTooLarge
    case overloaded
    case warmingUp
    case unavailable
    case deadlineExceeded

    private var code: ErrorCode {
        switch self {
        case .badRequest: .badRequest
        case .tokenInvalid: .tokenInvalid
        case .tokenRevoked: .tokenRevoked
        case .tokenExpired: .tokenExpired
        case .originRefused: .permissionDenied
        case .notFound: .notFound
        case .methodNotAllowed: .methodNotAllowed
        case .requestTimeout: .requestTimeout
        case .bodyTooLarge: .bodyTooLarge
        case .overloaded: .overloaded
        case .warmingUp: .warmingUp
        case .unavailable: .dependencyUnavailable
        case .deadlineExceeded: .deadlineExceeded
        }
    }

    /// What the client is told; only where the catalogue's words do not fit a gateway.
    private var message: String {
        switch self {
        case .badRequest: "The request is malformed, or its target can be read in two ways."
        case .originRefused: "This origin may not make this request."
        case .bodyTooLarge: "The body is larger than this path allows."
        default: code.message
        }
    }

    var status: HTTPResponseStatus {
        HTTPResponseStatus(statusCode: code.status)
    }

    /// Seconds for `Retry-After` (RFC 9110 §10.2.3), spread a little so that clients do not return all at once.
    func retryAfterSeconds(jitter: UInt8) -> String? {
        switch self {
        case .overloaded, .warmingUp, .unavailable: String(1 + jitter % 3)
        default: nil
        }
    }

    /// `WWW-Authenticate` of a 401 (RFC 6750 §3).
    var challenge: String? {
        switch self {
        case .tokenInvalid, .tokenRevoked, .tokenExpired: "Bearer error=\"invalid_token\""
        default: nil
        }
    }

    /// The envelopes up to the request id: their constant bytes, made once.
    private static let heads: [Refusal: [UInt8]] = Dictionary(
        uniqueKeysWithValues: allCases.map { refusal in
            let text =
                "{\"code\":\(refusal.code.value),\"error\":\"\(refusal.code.name)\",\"message\":\"\(refusal.message)\""
                + ",\"request_id\":\""
            return (refusal, Array(text.utf8))
        })

    /// Writes the envelope: constant bytes around the request id and the time, no JSON encoder.
    ///
    /// `requestID` holds only characters that need no escaping (see `RequestIdentitySource`).
    package func writeEnvelope(requestID: String, timestamp: String, into buffer: inout ByteBuffer) {
        buffer.writeBytes(Self.heads[self] ?? [])
        buffer.writeString(requestID)
        buffer.writeStaticString("\",\"violations\":[],\"timestamp\":\"")
        buffer.writeString(timestamp)
        buffer.writeStaticString("\"}")
    }
}
