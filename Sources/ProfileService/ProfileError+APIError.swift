internal import Contracts
package import MicroMiddleware

extension ProfileError: APIErrorConvertible {
    package var apiError: APIError {
        switch self {
        case .unknown: APIError(.notFound, "There is no such profile.")
        case .noAvatar: APIError(.notFound, "There is no picture.")
        case .stale: APIError(.preconditionFailed)
        case .invalid(let violations): APIError(.validationFailed, violations: violations)
        }
    }
}
