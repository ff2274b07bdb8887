/// A way to prove oneself beyond a password, by its name in the API.
package enum MFAMethod: String, Sendable, Hashable, Codable, CaseIterable {
    /// One-time passwords by the clock (RFC 6238).
    case totp
    /// A recovery code: each is good once.
    case backupCode = "backup_code"
    /// A passkey or security key (W3C Web Authentication).
    case webauthn
}
