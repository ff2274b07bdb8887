package import Foundation

extension AccessTokenClaims {
    /// Whether the user proved who they are (`auth_time`) within `maxAge`, with more than a password where that is asked.
    package func isProven(within maxAge: Duration, bySecondFactor: Bool = false, at now: Date) -> Bool {
        now.timeIntervalSince(authenticatedAt) <= Double(maxAge.components.seconds)
            && (!bySecondFactor || methods.contains("mfa"))
    }
}
