/// Why a token was refused.
///
/// Each reason is its own case for logs and metrics; outside all are one 401. No case carries anything that the token
/// says, so a reason can be logged and counted without letting the sender write into either.
package enum TokenError: Error, Equatable, Hashable {
    /// The parts of a compact JWS, to say which was wrong.
    package enum Part: String, Sendable { case header, claims, signature }
    /// The header members that would let a token choose its key or change what is signed; none is ever honoured.
    package enum ForbiddenHeader: String, Sendable, CaseIterable {
        case jwk, jku, x5u, x5c, x5t, x5tS256 = "x5t#S256", crit, b64, zip, enc
    }
    /// The claims that are required or checked.
    package enum Claim: String, Sendable {
        case iss, aud, sub, tenantID = "tenant_id", roles, permissions, sid, jti, iat, exp, nbf
        case authTime = "auth_time"
        case amr, scope
        case passwordChange = "pwd_change"
    }

    /// Longer than the limit; nothing of it was read.
    case tooLong
    /// Not three parts with a dot between them.
    case notCompact
    /// A part is not canonical base64url.
    case badEncoding(Part)
    /// A part is not the JSON object that it should be.
    case badJSON(Part)
    /// A member appears twice.
    case duplicateMember(Part)
    /// `alg` is missing, `none`, unknown, or not the key's.
    case algorithmRefused
    /// `typ` is not what this verifier accepts.
    case typeRefused
    /// There is no `kid`.
    case missingKeyID
    /// The `kid` names no key of the ring.
    case unknownKey
    /// The key's time to verify is over.
    case retiredKey
    /// The header holds a member that is never honoured.
    case forbiddenHeader(ForbiddenHeader)
    /// The signature is not the key's over these bytes.
    case badSignature
    case missingClaim(Claim)
    /// A claim has another type or form than it should.
    case malformedClaim(Claim)
    case wrongIssuer
    case wrongAudience
    case expired
    /// `nbf` or `iat` lies in the future.
    case notYetValid
    /// The token's session, user or tenant was revoked.
    case revoked

    /// A short stable name for metrics labels and logs.
    package var name: String {
        switch self {
        case .tooLong: "too_long"
        case .notCompact: "not_compact"
        case .badEncoding(let part): "bad_encoding_\(part.rawValue)"
        case .badJSON(let part): "bad_json_\(part.rawValue)"
        case .duplicateMember(let part): "duplicate_member_\(part.rawValue)"
        case .algorithmRefused: "algorithm_refused"
        case .typeRefused: "type_refused"
        case .missingKeyID: "missing_key_id"
        case .unknownKey: "unknown_key"
        case .retiredKey: "retired_key"
        case .forbiddenHeader(let header): "forbidden_header_\(header.rawValue)"
        case .badSignature: "bad_signature"
        case .missingClaim(let claim): "missing_claim_\(claim.rawValue)"
        case .malformedClaim(let claim): "malformed_claim_\(claim.rawValue)"
        case .wrongIssuer: "wrong_issuer"
        case .wrongAudience: "wrong_audience"
        case .expired: "expired"
        case .notYetValid: "not_yet_valid"
        case .revoked: "revoked"
        }
    }
}

extension TokenError: CustomStringConvertible {
    package var description: String { "token refused: \(name)" }
}
