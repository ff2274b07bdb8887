package import Foundation
import MicroMiddleware

/// A password that somebody else had made: for one login, at which it must be changed, and for a while only, since who made it
/// and whoever it was told through know it.
package struct OneTimePassword: Sendable {
    package static let standardLifetime = Duration.seconds(259_200)

    let lifetime: Duration
    let now: @Sendable () -> Date

    package init(
        lifetime: Duration = OneTimePassword.standardLifetime, now: @escaping @Sendable () -> Date = { Date() }
    ) {
        self.lifetime = lifetime
        self.now = now
    }

    /// When one that is made now is over.
    var expiry: Date { now() + lifetime.seconds }

    /// 20 characters of 31 that cannot be mistaken for each other, in groups of five: 99 bits.
    static func make() -> String {
        let alphabet = Array("abcdefghjkmnpqrstuvwxyz23456789")
        var generator = SystemRandomNumberGenerator()
        let characters = (0..<20).map { _ in alphabet[Int(generator.next(upperBound: UInt(alphabet.count)))] }
        return stride(from: 0, to: 20, by: 5).map { String(characters[$0..<($0 + 5)]) }.joined(separator: "-")
    }
}

extension ConfigurationKey<Duration> {
    static let oneTimePasswordLifetime = duration(
        "password.one_time_lifetime", default: .seconds(259_200), in: .seconds(60) ... .seconds(7_776_000),
        "How long a password that an administrator had made for somebody may be signed in with; then it is a wrong one."
    )
}
