package import Postgres
internal import Contracts

extension PostgresError: APIErrorConvertible {
    /// What a client is told of a database error that the service has nothing better to say about.
    package var apiError: APIError {
        if isUnavailable { return APIError(.dependencyUnavailable) }
        switch kind {
        case .cancelled: return APIError(.deadlineExceeded)
        case .invalidParameter:
            return APIError(
                .badRequest, violations: [Violation(field: "body", message: "contains a NUL character")])
        // undefined_table, undefined_column: this version runs on a schema that it has not migrated yet.
        case .server("42P01", _), .server("42703", _): return APIError(.warmingUp, retryAfter: .seconds(2))
        default: return APIError(.internal)
        }
    }
}
