internal import Contracts
package import MicroMiddleware

extension IdentityError: APIErrorConvertible {
    package var apiError: APIError {
        switch self {
        case .invalid(let violations): APIError(.validationFailed, violations: violations)
        case .alreadyRegistered(let kind):
            APIError(
                .alreadyRegistered, violations: [Violation(field: kind.rawValue, message: "is already registered")])
        case .invalidCredentials: APIError(.invalidCredentials)
        case .accountDisabled: APIError(.accountDisabled)
        case .tenantUnknown: .invalid("tenant_id", "names no tenant that can be registered with")
        case .userUnknown: APIError(.notFound, "There is no such user.")
        case .refreshTokenInvalid: APIError(.refreshTokenInvalid)
        case .refreshTokenRevoked: APIError(.tokenRevoked)
        case .onlySessionKnows: APIError(.dependencyUnavailable)
        case .changedMeanwhile: APIError(.conflict)
        }
    }
}
