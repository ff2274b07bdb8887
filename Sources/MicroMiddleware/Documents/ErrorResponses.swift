internal import Contracts

/// The catalogue of error codes as the documents have it: rendered, so that it cannot say anything else than the code.
package enum ErrorResponses {
    /// The failures that most operations share, as `components.responses`: `Error401`, …
    static let common: [String: JSONTree] = Dictionary(
        uniqueKeysWithValues: grouped(commonCodes).map { status, codes in ("Error\(status)", response(codes)) })

    private static let commonCodes: Set<ErrorCode> = [
        .badRequest, .tokenInvalid, .tokenRevoked, .tokenExpired, .permissionDenied, .passwordChangeRequired, .notFound,
        .requestTimeout, .bodyTooLarge, .unsupportedMediaType, .validationFailed, .overloaded, .warmingUp,
        .dependencyUnavailable, .deadlineExceeded,
    ]

    /// `responses`, by status.
    static func responses(_ codes: Set<ErrorCode>) -> [String: JSONTree] {
        let usual = grouped(commonCodes)
        return Dictionary(
            uniqueKeysWithValues: grouped(codes).map { (status, codes) -> (String, JSONTree) in
                let isUsual = usual[status] == codes
                return (
                    "\(status)",
                    isUsual ? ["$ref": .text("#/components/responses/Error\(status)")] : response(codes)
                )
            })
    }

    /// Every code there is, as a table in Markdown.
    package static var catalogue: String {
        let rows = ErrorCode.all.map { "| \($0.value) | `\($0.name)` | \($0.status) | \($0.message) |" }
        return "| code | error | status | message unless a better one is known |\n|---|---|---|---|\n"
            + rows.joined(separator: "\n")
    }

    private static func grouped(_ codes: Set<ErrorCode>) -> [Int: [ErrorCode]] {
        Dictionary(grouping: codes.sorted { $0.value < $1.value }, by: \.status)
    }

    private static func response(_ codes: [ErrorCode]) -> JSONTree {
        let status = codes.first?.status ?? 500
        let narrowed: JSONTree = [
            "properties": [
                "code": ["enum": .array(codes.map { .integer($0.value) })],
                "error": ["enum": .array(codes.map { .text($0.name) })],
            ]
        ]
        var response: JSONTree = [
            "description": .text(codes.map { "`\($0.value)` `\($0.name)`: \($0.message)" }.joined(separator: "\n\n")),
            "content": APIOperationExpansion.json([
                "allOf": [["$ref": "#/components/schemas/Error"], narrowed]
            ]),
        ]
        if status == 429 || status == 503 {
            response["headers"] = [
                "Retry-After": [
                    "required": true, "description": "Seconds after which to try again.",
                    "schema": ["type": "integer", "minimum": 1],
                ]
            ]
        }
        if status == 401 {
            response["headers"] = [
                "WWW-Authenticate": ["required": true, "schema": ["type": "string", "pattern": "^Bearer"]]
            ]
        }
        return response
    }
}
