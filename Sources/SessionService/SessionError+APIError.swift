internal import Contracts
package import MicroMiddleware

extension SessionError: APIErrorConvertible {
    package var apiError: APIError {
        switch self {
        case .refreshTokenInvalid: APIError(.refreshTokenInvalid)
        case .refreshTokenReused: APIError(.refreshTokenReused)
        case .sessionRevoked: APIError(.tokenRevoked)
        case .sessionUnknown: APIError(.notFound, "There is no such session.")
        case .nothingToEnd: APIError(.tokenInvalid, "A refresh token or an access token is needed.")
        case .stalled, .tooLittleTime: APIError(.dependencyUnavailable, isNotActedOn: true)
        case .undecided: APIError(.dependencyUnavailable)
        case .sessionTaken: APIError(.conflict)
        case .limitReached: APIError(.sessionLimitReached)
        }
    }
}
