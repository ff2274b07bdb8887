package import Contracts

/// The body of every failure: `{"code":…,"error":"…","message":"…","request_id":"…","violations":[…],"timestamp":"…"}`.
package struct ErrorEnvelope: Sendable, Codable {
    package let code: Int
    package let error: String
    package let message: String
    package let requestID: String?
    package let violations: [Violation]?

    private enum CodingKeys: String, CodingKey {
        case code, error, message, violations
        case requestID = "request_id"
    }

    /// The body as bytes, written by hand: the gateway needs it on an event loop.
    package static func render(
        _ code: ErrorCode, message: String? = nil, requestID: String, violations: [Violation] = []
    ) -> [UInt8] {
        var body: [UInt8] = []
        body.reserveCapacity(256)
        body.append(UInt8(ascii: "{"))
        JSONText.append("code", code.value, to: &body)
        JSONText.append("error", code.name, to: &body)
        JSONText.append("message", message ?? code.message, to: &body)
        JSONText.append("request_id", requestID, to: &body)
        JSONText.appendKey("violations", to: &body)
        body.append(UInt8(ascii: "["))
        for (index, violation) in violations.enumerated() {
            if index > 0 { body.append(UInt8(ascii: ",")) }
            body.append(UInt8(ascii: "{"))
            JSONText.append("field", violation.field, to: &body)
            JSONText.append("message", violation.message, to: &body)
            body.append(UInt8(ascii: "}"))
        }
        body.append(UInt8(ascii: "]"))
        JSONText.append("timestamp", Timestamp.now(), to: &body)
        body.append(UInt8(ascii: "}"))
        return body
    }
}
