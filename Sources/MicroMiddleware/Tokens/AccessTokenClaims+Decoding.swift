import Foundation

/// What a verifier expects of the claims that it reads.
struct ClaimsExpectation {
    let issuer: String
    let audience: String
}

extension AccessTokenClaims {
    /// Reads the claims part, checking form, issuer and audience; times are for the caller to check.
    init(encoded: UnsafeBufferPointer<UInt8>, expecting expected: ClaimsExpectation) throws(TokenError) {
        guard let bytes = Base64URL.decode(encoded) else { throw .badEncoding(.claims) }
        self = try bytes.withUnsafeBufferPointer { (text) throws(TokenError) in
            try AccessTokenClaims(json: text, expecting: expected)
        }
    }

    private init(
        json text: UnsafeBufferPointer<UInt8>, expecting expected: ClaimsExpectation
    ) throws(TokenError) {
        var json = try TokenJSON(text, part: .claims)
        var issuer: String?
        var audiences: [String]?
        var subject: UUID?
        var tenantID: UUID?
        var sessionID: UUID?
        var tokenID: UUID?
        var issuedAt: Date?
        var expiresAt: Date?
        var authenticatedAt: Date?
        var notBefore: Date?
        var roles: [String]?
        var permissions: [String] = []
        var methods: [String]?
        var scope: String?
        var mustChangePassword = false
        while let name = try json.nextMember() {
            switch name {
            case "iss": issuer = try Self.required(try json.string(), .iss)
            case "aud":
                if let one = try json.string() {
                    audiences = [one]
                } else {
                    audiences = try Self.required(try json.strings(limit: Self.maximumListCount), .aud)
                }
            case "sub": subject = try Self.identifier(&json, .sub)
            case "tenant_id": tenantID = try Self.identifier(&json, .tenantID)
            case "sid": sessionID = try Self.identifier(&json, .sid)
            case "jti": tokenID = try Self.identifier(&json, .jti)
            case "iat": issuedAt = try Self.time(&json, .iat)
            case "exp": expiresAt = try Self.time(&json, .exp)
            case "nbf": notBefore = try Self.time(&json, .nbf)
            case "auth_time": authenticatedAt = try Self.time(&json, .authTime)
            case "roles": roles = try Self.required(try json.strings(limit: Self.maximumListCount), .roles)
            case "permissions":
                permissions = try Self.required(try json.strings(limit: Self.maximumListCount), .permissions)
            case "amr": methods = try Self.required(try json.strings(limit: Self.maximumListCount), .amr)
            case "scope": scope = try Self.required(try json.string(), .scope)
            case "pwd_change": mustChangePassword = try Self.required(json.bool(), .passwordChange)
            default: try json.skip()
            }
        }
        guard let issuer else { throw .missingClaim(.iss) }
        guard issuer == expected.issuer else { throw .wrongIssuer }
        guard let audiences else { throw .missingClaim(.aud) }
        guard audiences.contains(expected.audience) else { throw .wrongAudience }
        let iat = try Self.present(issuedAt, .iat)
        self.init(
            issuer: expected.issuer, audience: expected.audience, subject: try Self.present(subject, .sub),
            tenantID: try Self.present(tenantID, .tenantID), roles: try Self.present(roles, .roles),
            sessionID: try Self.present(sessionID, .sid), tokenID: try Self.present(tokenID, .jti),
            issuedAt: max(iat, notBefore ?? iat), expiresAt: try Self.present(expiresAt, .exp),
            authenticatedAt: try Self.present(authenticatedAt, .authTime),
            methods: try Self.present(methods, .amr), scope: scope,
            mustChangePassword: mustChangePassword, permissions: permissions)
    }

    private static func required<Value>(
        _ value: Value?, _ claim: TokenError.Claim
    ) throws(TokenError) -> Value {
        guard let value else { throw .malformedClaim(claim) }
        return value
    }

    private static func present<Value>(
        _ value: Value?, _ claim: TokenError.Claim
    ) throws(TokenError) -> Value {
        guard let value else { throw .missingClaim(claim) }
        return value
    }

    private static func identifier(
        _ json: inout TokenJSON, _ claim: TokenError.Claim
    ) throws(TokenError) -> UUID {
        guard let text = try json.string(), let value = UUID(uuidString: text) else { throw .malformedClaim(claim) }
        return value
    }

    /// A NumericDate of this suite: whole seconds, of this epoch and before the year 10000.
    private static func time(
        _ json: inout TokenJSON, _ claim: TokenError.Claim
    ) throws(TokenError) -> Date {
        guard let seconds = json.integer(), (0..<253_402_300_800).contains(seconds) else {
            throw .malformedClaim(claim)
        }
        return Date(timeIntervalSince1970: Double(seconds))
    }
}
