import Contracts
import Foundation
import MicroMiddleware
import Testing

@Suite("The claims of access tokens")
struct TokenClaimsTests {
    let forge: TokenForge

    init() throws {
        forge = try TokenForge()
    }

    @Test("What was issued is what is read")
    func roundTrip() throws {
        let (subject, tenant, session) = (UUID(), UUID(), UUID())
        let issued = try forge.issuer.issue(
            subject: subject, tenantID: tenant, roles: ["owner", "r\"ö\\le"], sessionID: session,
            authenticatedAt: forge.time.now.addingTimeInterval(-60), methods: ["pwd", "otp"], scope: "a b",
            mustChangePassword: true)
        let claims = try forge.verifier.verify(issued.token)
        #expect(claims == issued.claims)
        #expect(claims.subject == subject && claims.tenantID == tenant && claims.sessionID == session)
        #expect(claims.roles == ["owner", "r\"ö\\le"] && claims.methods == ["pwd", "otp"])
        #expect(claims.scope == "a b" && claims.mustChangePassword)
        #expect(claims.expiresAt == forge.time.now.addingTimeInterval(1_800))
        #expect(claims.authenticatedAt == forge.time.now.addingTimeInterval(-60))
    }

    @Test("A substring of a header verifies as the string does")
    func substring() throws {
        let token = try forge.issue()
        let header = "Bearer " + token
        #expect(try forge.verifier.verify(header.dropFirst(7)) == forge.verifier.verify(token))
    }

    @Test(
        "A wrong issuer is refused",
        arguments: ["https://authms.test/", "http://authms.test", "HTTPS://AUTHMS.TEST", "https://evil.test", ""])
    func issuer(issuer: String) throws {
        let token = try forge.forge(claims: forge.claims(["iss": "\"\(issuer)\""]))
        #expect(forge.refusal(of: token) == .wrongIssuer)
    }

    @Test("A wrong audience is refused, alone or in a list; a list with the right one is accepted")
    func audience() throws {
        for literal in [#""other""#, #""authms ""#, "[]", #"["other"]"#, #"["AUTHMS"]"#] {
            let token = try forge.forge(claims: forge.claims(["aud": literal]))
            #expect(forge.refusal(of: token) == .wrongAudience)
        }
        let token = try forge.forge(claims: forge.claims(["aud": #"[ "other" , "authms" ]"#]))
        #expect(forge.refusal(of: token) == nil)
    }

    @Test("A token is accepted until its expiry and five seconds more, and not after")
    func expiry() throws {
        let token = try forge.issue()
        forge.time.advance(by: 1_804.9)
        #expect(forge.refusal(of: token) == nil)
        forge.time.advance(by: 0.1)
        #expect(forge.refusal(of: token) == .expired)
    }

    @Test("A token from the future is refused, by nbf or iat, beyond five seconds")
    func notYetValid() throws {
        let now = Int(forge.time.now.timeIntervalSince1970)
        for claim in ["iat", "nbf"] {
            let soon = try forge.forge(claims: forge.claims([claim: "\(now + 5)"]))
            #expect(forge.refusal(of: soon) == nil)
            let later = try forge.forge(claims: forge.claims([claim: "\(now + 6)"]))
            #expect(forge.refusal(of: later) == .notYetValid)
        }
    }

    @Test(
        "A token without a required claim is refused by that claim's name",
        arguments: ["iss", "aud", "sub", "tenant_id", "roles", "sid", "jti", "iat", "exp", "auth_time", "amr"])
    func missing(name: String) throws {
        let claim = try #require(TokenError.Claim(rawValue: name))
        let token = try forge.forge(claims: forge.claims([name: String?.none]))
        #expect(forge.refusal(of: token) == .missingClaim(claim))
    }

    @Test(
        "A claim of the wrong type or form is refused by its name",
        arguments: [
            ("iss", "1"), ("iss", "null"), ("iss", #"["https://authms.test"]"#), ("aud", "1"), ("aud", "[1]"),
            ("aud", #"{"authms":1}"#), ("sub", "1"), ("sub", "null"), ("sub", #""admin""#), ("sub", #""""#),
            ("tenant_id", "true"), ("tenant_id", #""01900000-0000-7000-8000-00000000000g""#), ("sid", "{}"),
            ("jti", "[]"), ("roles", #""owner""#), ("roles", "[1]"), ("roles", "[[]]"), ("roles", #"["a",null]"#),
            ("roles", "null"), ("iat", #""1800000000""#), ("exp", #""9999999999""#), ("exp", "null"), ("exp", "true"),
            ("exp", "9999999999.5"), ("exp", "1e12"), ("exp", "-1"), ("exp", "253402300800"),
            ("exp", "9223372036854775807"), ("exp", "9223372036854775808"), ("exp", "99999999999999999999999"),
            ("nbf", #""0""#), ("auth_time", "1.0"), ("amr", "{}"), ("scope", "[]"), ("pwd_change", #""false""#),
            ("pwd_change", "1"), ("pwd_change", "null"),
        ])
    func wrongType(name: String, literal: String) throws {
        let claim = try #require(TokenError.Claim(rawValue: name))
        let token = try forge.forge(claims: forge.claims([name: literal]))
        #expect(forge.refusal(of: token) == .malformedClaim(claim))
    }

    @Test("More than 64 roles are refused")
    func manyRoles() throws {
        let literal = { (count: Int) in "[" + Array(repeating: #""r""#, count: count).joined(separator: ",") + "]" }
        #expect(forge.refusal(of: try forge.forge(claims: forge.claims(["roles": literal(64)]))) == nil)
        let token = try forge.forge(claims: forge.claims(["roles": literal(65)]))
        #expect(forge.refusal(of: token) == .malformedClaim(.roles))
    }

    @Test("Every reason has a name of its own that says nothing of the token")
    func names() {
        let reasons: [TokenError] = [
            .tooLong, .notCompact, .badEncoding(.header), .badEncoding(.claims), .badJSON(.header),
            .duplicateMember(.claims), .algorithmRefused, .typeRefused, .missingKeyID, .unknownKey, .retiredKey,
            .forbiddenHeader(.jku), .badSignature, .missingClaim(.sub), .malformedClaim(.sub), .wrongIssuer,
            .wrongAudience, .expired, .notYetValid, .revoked,
        ]
        #expect(Set(reasons.map(\.name)).count == reasons.count)
        #expect(Set(reasons.map(\.apiError.code.status)) == [401])
    }
}
