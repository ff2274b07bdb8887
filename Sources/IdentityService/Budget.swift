import ConnectionKit

/// How long each part of a request may take at most, so that a dead dependency is answered quickly rather than awaited.
enum Budget {
    /// One statement. Two of them and a hash stay under the two seconds within which a dead database is admitted.
    static let statement = Duration.milliseconds(900)
    /// Asking session for a session; past it the login goes on without.
    static let session = Duration.milliseconds(400)
    /// Asking mfa about a second factor; past it the login is refused.
    static let mfa = Duration.milliseconds(1_000)
    /// A statement whose answer is welcome but not needed.
    static let glance = Duration.milliseconds(300)
    /// All that a refresh without session needs: asking session, a look at the account, and noting it.
    static let refresh = session + glance * 2
    /// Waiting for and running one password hash.
    static let hash = Duration.seconds(3)
}

extension Deadline {
    var forStatement: Deadline { capped(at: Budget.statement) }
    var forGlance: Deadline { capped(at: Budget.glance) }
    var forHash: Deadline { capped(at: Budget.hash) }
}
