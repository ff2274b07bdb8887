package import MicroMiddleware

/// Why the identity service did not do what it was asked for.
package enum IdentityError: Error, Sendable, Equatable {
    /// Fields that are missing or wrong, each with a sentence that completes its name.
    case invalid([Violation])
    /// The identity belongs to somebody already.
    case alreadyRegistered(IdentifierKind)
    /// Unknown user, wrong password, empty password: the same to the outside.
    case invalidCredentials
    /// A code of a mail is wrong, used, expired or nobody's: the same to the outside.
    case codeInvalid
    /// Too many wrong passwords for this identity or from this address.
    case throttled(retryAfter: Duration)
    /// The tenant is under attack: a proof of work is asked of devices that are not known.
    case proofNeeded
    /// The sign-in is too long ago for this.
    case reauthenticationNeeded
    /// A tenant keeps at least one owner.
    case lastOwner
    /// Said only to somebody who knew the password.
    case accountDisabled
    case tenantUnknown
    /// Said only to somebody who knew the password.
    case membershipPending
    /// No such code, or it was used, revoked, has expired, or is for another address.
    case invitationInvalid
    case invitationUnknown
    case roleUnknown
    case roleTaken
    case tenantTaken
    /// To whom asks for a tenant by its id; ``tenantUnknown`` is a field of a form.
    case tenantNotFound
    /// It takes more permissions than the caller holds.
    case beyondAuthority
    /// Whoever has the account has what its user holds in other tenants, which is not for one tenant's administrator to give.
    case holdsMoreElsewhere
    case userUnknown
    /// A guest's account is their own tenant's: it is changed, given out and deleted there.
    case homeTenantNeeded
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
    /// A refresh with so little of its time left that neither the session service nor the database could be asked in earnest.
    case tooLittleTime
    /// A challenge token that is forged, over, used, or for something else.
    case challengeInvalid
}
