/// Why the session service did not do what it was asked for.
package enum SessionError: Error, Sendable, Equatable {
    /// Not a refresh token of ours, or its session is gone or has expired.
    case refreshTokenInvalid
    /// An older generation: its family has just been revoked.
    case refreshTokenReused
    case sessionRevoked
    /// There is no such session of this user.
    case sessionUnknown
    /// Neither a refresh token nor an access token was given.
    case nothingToEnd
    /// The id belongs to somebody else's session.
    case sessionTaken
    /// The user has as many sessions as the tenant allows, and the tenant has none of them end for a new one.
    case limitReached
    /// The request may have waited while this process was stopped: so it is not acted on, and another may be asked.
    case stalled
    /// So little of the request's time is left that the database could not be asked in earnest: so it is not acted on, and
    /// another may be asked.
    case tooLittleTime
    /// This process may not have been told yet of what it left without an answer: so it does not judge the token.
    case undecided
}
