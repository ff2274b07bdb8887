package import Foundation

extension AccessTokenClaims {
    /// Whether the user proved who they are (`auth_time`) within `maxAge`, with more than a password where that is asked.
    ///
    /// There is one time for all of `amr`, so whoever issues a token with a fresh `auth_time` names in it only what was
    /// proven then, or what a second factor proven then stands on.
    package func isProven(within maxAge: Duration, bySecondFactor: Bool = false, at now: Date) -> Bool {
        now.timeIntervalSince(authenticatedAt) <= Double(maxAge.components.seconds)
            && (!bySecondFactor || methods.contains("mfa"))
    }
}
