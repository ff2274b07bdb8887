internal import Contracts

extension APIError {
    /// What a client is told of a body that is not what the type needs: which field, and what is wrong with it.
    init(_ error: DecodingError) {
        switch error {
        case .keyNotFound(let key, let context):
            self.init(field: context.codingPath + [key], "is missing")
        case .valueNotFound(let type, let context):
            self.init(field: context.codingPath, "must be \(Self.name(type)), not null")
        case .typeMismatch(let type, let context):
            self.init(field: context.codingPath, "must be \(Self.name(type))")
        case .dataCorrupted(let context) where context.codingPath.isEmpty:
            self.init(.badRequest, violations: [Violation(field: "body", message: "is not valid JSON")])
        case .dataCorrupted(let context):
            self.init(field: context.codingPath, Self.reason(context))
        @unknown default:
            self.init(.badRequest, violations: [Violation(field: "body", message: "cannot be read")])
        }
    }

    private init(field path: [any CodingKey], _ message: String) {
        var field = ""
        for key in path {
            if let index = key.intValue {
                field += "[\(index)]"
            } else {
                field += (field.isEmpty ? "" : ".") + key.stringValue
            }
        }
        self.init(
            .validationFailed, violations: [Violation(field: field.isEmpty ? "body" : field, message: message)])
    }

    /// What our own decoding says begins with "must" and may be shown; what the library says is about its internals.
    private static func reason(_ context: DecodingError.Context) -> String {
        context.debugDescription.hasPrefix("must ") ? context.debugDescription : "has a value that cannot be used"
    }

    private static func name(_ type: Any.Type) -> String {
        switch type {
        case is String.Type: "a string"
        case is Bool.Type: "true or false"
        case is any BinaryInteger.Type: "an integer"
        case is any BinaryFloatingPoint.Type: "a number"
        case is any AnyArray.Type: "an array"
        default: "\(type)".hasPrefix("Array") ? "an array" : "an object"
        }
    }
}

private protocol AnyArray {}
extension Array: AnyArray {}
