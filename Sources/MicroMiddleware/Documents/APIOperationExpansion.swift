internal import Contracts

/// Writes out what our documents abbreviate, so that an entry says only what is particular about an operation.
///
/// | member | stands for |
/// |---|---|
/// | `x-public: true` | no access token is needed |
/// | `x-permission: users:read` | the permission that is needed, and the 403 without it |
/// | `x-body: S` | a JSON body that must be there, of schema `S` |
/// | `x-data: S` | success: the envelope with `data` of schema `S`; `x-status: 201` where it is not 200 |
/// | `x-list: S` | success: the envelope of a list with items of schema `S`, and the parameters of its pages |
/// | `x-errors: [a, b]` | failures beyond those that every operation has, by their names in the catalogue of codes |
/// | `x-own: true` | it says all that it answers by itself: the gateway's own paths |
///
/// `S` is the name of a schema or a schema.
struct APIOperationExpansion {
    let path: String
    let components: [String: [String: JSONTree]]

    func pathItem(_ item: JSONTree) throws -> JSONTree {
        var item = item
        for method in APIOperation.methods {
            guard let operation = item[method] else { continue }
            item[method] = try expanded(operation, shared: item["parameters"]?.elements ?? [])
        }
        return item
    }

    private func expanded(_ source: JSONTree, shared: [JSONTree]) throws -> JSONTree {
        var operation = source
        for member in ["x-public", "x-body", "x-data", "x-list", "x-status", "x-errors", "x-own"] {
            operation[member] = nil
        }
        let isPublic = source["x-public"] == true
        if isPublic, operation["security"] == nil { operation["security"] = [] }
        if let body = source["x-body"] {
            operation["requestBody"] = ["required": true, "content": Self.json(Self.schema(body))]
        }
        var parameters = operation["parameters"]?.elements ?? []
        if source["x-list"] != nil { parameters += [Self.parameter("Page"), Self.parameter("PageSize")] }
        if !parameters.isEmpty { operation["parameters"] = .array(parameters) }
        var responses = operation["responses"]?.members ?? [:]
        if let success = success(source) {
            let status = if case .integer(let code)? = source["x-status"] { "\(code)" } else { "200" }
            responses[status] = [
                "description": source["summary"] ?? "Success", "content": Self.json(success),
            ]
        }
        if source["x-own"] != true {
            let codes = try codes(source, isPublic: isPublic, parameters: parameters + shared, operation: operation)
            responses.merge(ErrorResponses.responses(codes)) { own, _ in own }
        }
        operation["responses"] = .object(responses)
        return operation
    }

    private func success(_ source: JSONTree) -> JSONTree? {
        if let data = source["x-data"] {
            return Self.envelope(["data": Self.schema(data)])
        }
        if let item = source["x-list"] {
            return Self.envelope([
                "items": ["type": "array", "items": Self.schema(item)],
                "total": [
                    "type": "integer", "minimum": 0,
                    "description": "At least so many where `pagination.total_is_exact` is false.",
                ],
                "pagination": ["$ref": "#/components/schemas/Pagination"],
            ])
        }
        return nil
    }

    /// Every failure that the operation may end with.
    private func codes(
        _ source: JSONTree, isPublic: Bool, parameters: [JSONTree], operation: JSONTree
    ) throws -> Set<ErrorCode> {
        var codes: Set<ErrorCode> = [
            .badRequest, .overloaded, .warmingUp, .dependencyUnavailable, .deadlineExceeded,
        ]
        if !isPublic {
            codes.formUnion([.tokenInvalid, .tokenRevoked, .tokenExpired, .passwordChangeRequired, .mfaSetupRequired])
        }
        if source["x-permission"] != nil { codes.insert(.permissionDenied) }
        if operation["requestBody"] != nil {
            codes.formUnion([.requestTimeout, .bodyTooLarge, .unsupportedMediaType, .validationFailed])
        }
        if !parameters.isEmpty { codes.insert(.validationFailed) }
        if path.contains("{") { codes.insert(.notFound) }
        for name in source["x-errors"]?.elements ?? [] {
            guard let code = ErrorCode.all.first(where: { $0.name == name.text }) else {
                throw APIDocumentError(description: "\(path): no error is called \(name.text ?? "that")")
            }
            codes.insert(code)
        }
        return codes
    }

    private static func schema(_ schema: JSONTree) -> JSONTree {
        guard let name = schema.text else { return schema }
        return ["$ref": .text("#/components/schemas/\(name)")]
    }

    private static func parameter(_ name: String) -> JSONTree {
        ["$ref": .text("#/components/parameters/\(name)")]
    }

    static func json(_ schema: JSONTree) -> JSONTree {
        ["application/json": ["schema": schema]]
    }

    private static func envelope(_ members: [String: JSONTree]) -> JSONTree {
        var properties: [String: JSONTree] = [
            "code": ["const": 0], "message": ["type": "string"],
            "timestamp": ["type": "string", "format": "date-time"],
        ]
        properties.merge(members) { _, new in new }
        return [
            "type": "object", "required": .array(properties.keys.sorted().map { .text($0) }),
            "properties": .object(properties),
        ]
    }
}
