internal import Contracts

extension TokenError: APIErrorConvertible {
    /// Every reason is a 401; a client is told apart only what it can act on: to refresh, or to sign in again.
    package var apiError: APIError {
        switch self {
        case .expired: APIError(.tokenExpired)
        case .revoked: APIError(.tokenRevoked)
        default: APIError(.tokenInvalid)
        }
    }
}

extension RefreshTokenError: APIErrorConvertible {
    /// A token of a newer form is no reason to sign in again: another replica, or this one in a moment, can read it.
    package var apiError: APIError {
        switch self {
        case .noActiveKey: APIError(.internal)
        case .newerForm: APIError(.dependencyUnavailable, isNotActedOn: true)
        case .malformed, .unknownKey, .badAuthenticator, .expired: APIError(.refreshTokenInvalid)
        }
    }
}
