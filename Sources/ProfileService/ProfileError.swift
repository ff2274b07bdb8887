package import MicroMiddleware

/// Why the profile service did not do what it was asked for.
package enum ProfileError: Error, Sendable, Equatable {
    /// There is no such profile, or it is not this caller's to know of.
    case unknown
    /// The user has no picture, or none that is this caller's to see.
    case noAvatar
    /// The profile has changed since the version that the caller saw.
    case stale
    /// Fields that are wrong, each with a sentence that completes its name.
    case invalid([Violation])
}
