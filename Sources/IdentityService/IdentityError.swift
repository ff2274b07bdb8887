package import MicroMiddleware

/// Why the identity service did not do what it was asked for.
package enum IdentityError: Error, Sendable, Equatable {
    /// Fields that are missing or wrong, each with a sentence that completes its name.
    case invalid([Violation])
    /// The identity belongs to somebody already.
    case alreadyRegistered(IdentifierKind)
    /// Unknown user, wrong password, empty password: the same to the outside.
    case invalidCredentials
    /// Said only to somebody who knew the password.
    case accountDisabled
    case tenantUnknown
    case userUnknown
    /// Somebody else changed the same thing at the same moment.
    case changedMeanwhile

    package static func invalid(_ field: String, _ message: String) -> IdentityError {
        .invalid([Violation(field: field, message: message)])
    }
    /// Not a refresh token of ours, or its user is gone.
    case refreshTokenInvalid
    case refreshTokenRevoked
    /// A refresh that only the session service can decide, and it cannot be reached.
    case onlySessionKnows
}
