/// Where a key is in its life. Only `active` keys sign; every state but a retired key past its time verifies.
package enum KeyState: String, Codable, Sendable, CaseIterable {
    /// Published, not signing yet: verifiers learn it before the first token under it appears.
    case pending
    /// Signs. One key for each use.
    case active
    /// No longer signs, still verifies what it signed.
    case retiring
    /// Verifies, and is published, until `verifies_until`; then it is refused.
    case retired
}

/// What a key is for; a key never serves two uses.
package enum KeyUse: String, Codable, Sendable, CaseIterable {
    /// Signs access tokens.
    case access
    /// Authenticates refresh tokens.
    case refresh
}

/// The JWS algorithms that this suite speaks, by their names in RFC 7518 §3.1. There is no `none`.
package enum TokenAlgorithm: String, Codable, Sendable, CaseIterable {
    /// ECDSA on P-256 with SHA-256: verifiers hold the public key only.
    case es256 = "ES256"
    /// HMAC with SHA-256: whoever verifies can also sign, so it is for those who configure `JWT_SECRET`.
    case hs256 = "HS256"
}
