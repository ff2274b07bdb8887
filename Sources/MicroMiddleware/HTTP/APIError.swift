package import Contracts
package import HTTPTypes
package import Hummingbird

/// A failure as the client sees it. Whatever else is thrown becomes one, in ``ErrorMappingMiddleware``.
package struct APIError: Error, Sendable, HTTPResponseError {
    package let code: ErrorCode
    /// For the client: never SQL, paths or secrets.
    package let message: String
    /// Which fields are wrong, and why.
    package let violations: [Violation]
    /// When to try again; rendered as `Retry-After`, in whole seconds, at least one.
    package let retryAfter: Duration?
    /// Whether nothing was done for the request, nor will be, so that the gateway may ask another service where there is one.
    package let isNotActedOn: Bool

    package init(
        _ code: ErrorCode, _ message: String? = nil, violations: [Violation] = [], retryAfter: Duration? = nil,
        isNotActedOn: Bool = false
    ) {
        self.isNotActedOn = isNotActedOn
        self.code = code
        self.message = message ?? code.message
        self.violations = violations
        self.retryAfter = retryAfter ?? (code.status == 503 || code.status == 429 ? .seconds(1) : nil)
    }

    /// 422001 for one field.
    package static func invalid(_ field: String, _ message: String) -> APIError {
        APIError(.validationFailed, violations: [Violation(field: field, message: message)])
    }

    package var status: HTTPResponse.Status { HTTPResponse.Status(code: code.status) }

    package func response(from request: Request, context: some RequestContext) throws -> Response {
        response(requestID: (context as? any ServiceRequestContext)?.requestID ?? "")
    }

    /// The answer, with the error envelope as its body.
    package func response(requestID: String) -> Response {
        let body = ErrorEnvelope.render(
            code, message: message, requestID: requestID, violations: violations)
        var headers = HTTPFields()
        headers.reserveCapacity(6)
        headers[.contentType] = "application/json; charset=utf-8"
        headers[.contentLength] = String(body.count)
        if let retryAfter {
            headers[.retryAfter] = String(max(1, retryAfter.components.seconds))
        }
        if isNotActedOn { headers[.requestNotActedOn] = "1" }
        if code.status == 401 {
            headers[.wwwAuthenticate] = "Bearer"
        }
        return Response(status: status, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: body)))
    }
}

/// Errors of a domain or a driver that know what the client should be told. Conform in `X+APIError.swift`, one place a type.
package protocol APIErrorConvertible: Error {
    var apiError: APIError { get }
}

/// One field that is wrong.
package struct Violation: Sendable, Hashable, Codable {
    /// The field's path in the body: `user.email`, `items[2].name`; `body` for the whole of it.
    package let field: String
    package let message: String

    package init(field: String, message: String) {
        self.field = field
        self.message = message
    }
}
