/// Why a passkey's registration or signature was refused (W3C Web Authentication Level 3, sections 7.1 and 7.2).
package enum PasskeyError: String, Error, Sendable, Hashable {
    /// A part is not what it should be, or too long.
    case malformed
    /// Made for something else: a registration for a login, or the other way round.
    case wrongCeremony = "wrong_ceremony"
    /// Not the challenge that was given.
    case wrongChallenge = "wrong_challenge"
    /// Made on another site, or inside of one.
    case wrongOrigin = "wrong_origin"
    /// Made for another relying party.
    case wrongRelyingParty = "wrong_relying_party"
    case userNotPresent = "user_not_present"
    case userNotVerified = "user_not_verified"
    /// An attestation format or algorithm that is not taken here.
    case unsupported
    /// The attestation's signature is not what it claims.
    case badAttestation = "bad_attestation"
    case badSignature = "bad_signature"
}
