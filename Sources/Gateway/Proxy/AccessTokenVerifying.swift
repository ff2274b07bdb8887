/// What the gateway asks of a token verifier: an answer at once, on the event loop.
package protocol AccessTokenVerifying: Sendable {
    /// Verifies a compact JWT: signature, claims, time and revocation. Must neither block nor suspend.
    func verdict(on token: String) -> TokenVerdict
}

/// Whether a token opens the door, and if not, what its bearer is told.
package enum TokenVerdict: Sendable, Equatable {
    case valid
    case invalid
    case expired
    case revoked
}
