import Foundation

/// What a new password must be like. Length counts, composition does not (NIST SP 800-63B, section 5.1.1.2).
package struct PasswordPolicy: Sendable, Hashable {
    /// Unicode scalars, after normalisation.
    package var minimumLength: Int
    package var maximumLength: Int
    /// `plain`, or `hash`: the client sends the hex SHA-256 of `password|tenant_id`.
    package var transmission: String

    package init(minimumLength: Int = 8, maximumLength: Int = 256, transmission: String = "plain") {
        self.minimumLength = minimumLength
        self.maximumLength = maximumLength
        self.transmission = transmission
    }

    /// A password as it is hashed: NFC, so that it does not matter how a keyboard composes its accents.
    package static func normalized(_ password: String) -> String {
        password.utf8.allSatisfy { $0 < 0x80 } ? password : password.precomposedStringWithCanonicalMapping
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
        return normalized
    }
}
