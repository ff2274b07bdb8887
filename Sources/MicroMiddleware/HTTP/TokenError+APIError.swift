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
    package var apiError: APIError {
        self == .noActiveKey ? APIError(.internal) : APIError(.refreshTokenInvalid)
    }
}
