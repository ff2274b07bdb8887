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
        case .codeInvalid: APIError(.codeInvalid)
        case .throttled(let wait):
            // Rounded up: who comes back at the second that was named is let in.
            APIError(.rateLimited, retryAfter: .seconds(max(1, (wait.milliseconds + 999) / 1_000)))
        case .proofNeeded: APIError(.proofRequired)
        case .reauthenticationNeeded: APIError(.reauthenticationRequired)
        case .lastOwner: APIError(.conflict, "A tenant keeps at least one owner: make somebody else one first.")
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
