internal import Contracts
package import MicroMiddleware

extension MFAError: APIErrorConvertible {
    package var apiError: APIError {
        switch self {
        case .invalid(let violations): APIError(.validationFailed, violations: violations)
        case .codeInvalid: APIError(.mfaCodeInvalid)
        case .challengeOver: APIError(.mfaChallengeInvalid)
        case .blocked(let delay):
            APIError(
                .rateLimited, "Too many wrong codes. Wait, or use a recovery code or a passkey.", retryAfter: delay)
        case .alreadyEnabled: APIError(.conflict, "This is set up already. Disable it first.")
        case .unknown: APIError(.notFound, "There is no such second factor.")
        case .off: APIError(.mfaOff)
        case .stepUpRequired: APIError(.stepUpRequired)
        case .notOfOneMind: APIError(.dependencyUnavailable)
        }
    }
}
