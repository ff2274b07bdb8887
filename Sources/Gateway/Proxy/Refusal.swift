package import NIOCore
internal import NIOHTTP1

/// The answers that the gateway gives itself when a request cannot, or must not, reach a service.
package enum Refusal: Int, CaseIterable, Sendable {
    case badRequest = 400_001
    case tokenInvalid = 401_002
    case tokenRevoked = 401_003
    case tokenExpired = 401_004
    case originRefused = 403_001
    case notFound = 404_001
    case methodNotAllowed = 405_001
    case bodyTooLarge = 413_001
    case overloaded = 503_001
    case unavailable = 503_003
    case deadlineExceeded = 504_001

    var status: HTTPResponseStatus {
        switch rawValue / 1_000 {
        case 400: .badRequest
        case 401: .unauthorized
        case 403: .forbidden
        case 404: .notFound
        case 405: .methodNotAllowed
        case 413: .payloadTooLarge
        case 504: .gatewayTimeout
        default: .serviceUnavailable
        }
    }

    private var name: String {
        switch self {
        case .badRequest: "bad_request"
        case .tokenInvalid: "token_invalid"
        case .tokenRevoked: "token_revoked"
        case .tokenExpired: "token_expired"
        case .originRefused: "permission_denied"
        case .notFound: "not_found"
        case .methodNotAllowed: "method_not_allowed"
        case .bodyTooLarge: "body_too_large"
        case .overloaded: "overloaded"
        case .unavailable: "dependency_unavailable"
        case .deadlineExceeded: "deadline_exceeded"
        }
    }

    private var message: String {
        switch self {
        case .badRequest: "The request is malformed or its target is ambiguous."
        case .tokenInvalid: "A valid access token is required."
        case .tokenRevoked: "The session of this access token was revoked; sign in again."
        case .tokenExpired: "The access token has expired; refresh it."
        case .originRefused: "This origin may not make this request."
        case .notFound: "There is nothing at this path."
        case .methodNotAllowed: "This method is not allowed here."
        case .bodyTooLarge: "The request body is larger than this path allows."
        case .overloaded: "Too many requests are under way; try again shortly."
        case .unavailable: "A service that this request needs is not available; try again shortly."
        case .deadlineExceeded: "The service did not answer in time."
        }
    }

    /// Seconds for `Retry-After` (RFC 9110 §10.2.3), spread a little so that clients do not return all at once.
    func retryAfterSeconds(jitter: UInt8) -> String? {
        switch self {
        case .overloaded, .unavailable: jitter & 1 == 0 ? "1" : "2"
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

    /// The envelope up to the request id, its constant bytes made once.
    private static let heads: [Refusal: [UInt8]] = Dictionary(
        uniqueKeysWithValues: allCases.map { refusal in
            let text =
                "{\"code\":\(refusal.rawValue),\"error\":\"\(refusal.name)\",\"message\":\"\(refusal.message)\""
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
