package import Foundation
import Passwords

/// What a new password must be like. Length counts, composition does not (NIST SP 800-63B, section 5.1.1.2).
package struct PasswordPolicy: Sendable, Hashable {
    /// Unicode scalars, after normalisation.
    package var minimumLength: Int
    package var maximumLength: Int
    /// `plain`, or `hash`: the client sends the hex SHA-256 of `password|tenant_id`.
    package var transmission: String
    /// So many passwords before the present one may not be chosen again; 0 for any.
    package var historyDepth: Int
    /// A password older than this many days must be changed at the next sign-in; 0 for never.
    package var maximumAgeDays: Int
    /// Whether passwords that attackers try first are refused.
    package var refusesCommon: Bool

    package init(
        minimumLength: Int = 8, maximumLength: Int = 256, transmission: String = "plain", historyDepth: Int = 0,
        maximumAgeDays: Int = 0, refusesCommon: Bool = true
    ) {
        self.minimumLength = minimumLength
        self.maximumLength = maximumLength
        self.transmission = transmission
        self.historyDepth = historyDepth
        self.maximumAgeDays = maximumAgeDays
        self.refusesCommon = refusesCommon
    }

    /// Whether a password of that age must be changed.
    package func isExpired(changedAt: Date, now: Date) -> Bool {
        maximumAgeDays > 0 && now.timeIntervalSince(changedAt) > Double(maximumAgeDays) * 86_400
    }

    /// A password as it is hashed: NFKC, so that it does not matter how a keyboard composes it (NIST SP 800-63B §5.1.1.2).
    package static func normalized(_ password: String) -> String {
        password.utf8.allSatisfy { $0 < 0x80 } ? password : password.precomposedStringWithCompatibilityMapping
    }

    /// A password that somebody proves themselves with, normalised, when it is one that could be hashed. Asked before
    /// anything is looked up: what is too long is refused whoever it would be compared for.
    /// - Throws: ``IdentityError/invalid(_:)`` naming `field`.
    package static func bounded(_ password: String, field: String = "password") throws(IdentityError) -> String {
        let limit = PasswordHasher.maximumPasswordBytes
        // What is far too long is not worth composing: nothing becomes an eighth of itself by it.
        let normalized = password.utf8.count <= 8 * limit ? normalized(password) : password
        guard normalized.utf8.count <= limit else { throw .invalid(field, "must have at most \(limit) bytes") }
        return normalized
    }

    /// The password, normalised, when it may be chosen.
    /// - Throws: ``IdentityError/invalid(_:)`` naming `field`.
    package func accept(_ password: String, field: String = "password") throws(IdentityError) -> String {
        let normalized = Self.normalized(password)
        let length = normalized.unicodeScalars.count
        guard length >= minimumLength else {
            throw .invalid(field, "must have at least \(minimumLength) characters")
        }
        guard length <= maximumLength else {
            throw .invalid(field, "must have at most \(maximumLength) characters")
        }
        return try Self.bounded(normalized, field: field)
    }
}
