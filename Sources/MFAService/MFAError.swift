package import MicroMiddleware

/// Why the mfa service did not do what it was asked for.
package enum MFAError: Error, Sendable, Equatable {
    /// Fields that are missing or wrong, each with a sentence that completes its name.
    case invalid([Violation])
    /// A wrong code, one that was used before, or a key that is not the user's.
    case codeInvalid
    /// The challenge is over, used, or has been answered wrongly too often.
    case challengeOver
    /// Too many wrong codes; other ways than the one-time password stay open.
    case blocked(retryAfter: Duration)
    case alreadyEnabled
    /// There is no such method, or it is not this caller's.
    case unknown
    /// The tenant's policy has second factors switched off.
    case off
    /// Another factor must be proven first.
    case stepUpRequired
    /// Identity says that the user has a second factor, and there is none here: they are not of one mind yet.
    case notOfOneMind

    package static func invalid(_ field: String, _ message: String) -> MFAError {
        .invalid([Violation(field: field, message: message)])
    }
}
