import Crypto
import Foundation
import MicroMiddleware
import Testing

@Suite("Attacks on access tokens")
struct TokenAttackTests {
    let forge: TokenForge

    init() throws {
        forge = try TokenForge()
    }

    @Test("The forge itself makes tokens that are accepted")
    func baseline() throws {
        #expect(forge.refusal(of: try forge.forge()) == nil)
        // With the members in another order, and others that nobody forbids.
        let header = #"{ "typ" : "at+jwt", "kid" : "k1", "alg" : "ES256", "x-note" : {"a":[1,2.5e3,null,true]} }"#
        #expect(forge.refusal(of: try forge.forge(header: header)) == nil)
    }

    @Test(
        "alg none is refused, in any spelling, with a signature or without",
        arguments: [
            "none", "None", "NONE", "nOnE", "", "ES256 ", "es256", "ES384", "RS256", "HS384", "EdDSA", "ES256K",
        ])
    func algorithmNone(algorithm: String) throws {
        let header = #"{"alg":"\#(algorithm)","kid":"k1","typ":"at+jwt"}"#
        #expect(forge.refusal(of: try forge.forge(header: header)) == .algorithmRefused)
        let unsigned = try forge.forge(header: header) { _ in Data() }
        #expect(forge.refusal(of: unsigned) == .notCompact)
        #expect(forge.refusal(of: String(unsigned.dropLast())) == .notCompact)
    }

    @Test(
        "An algorithm that is no string is refused",
        arguments: [
            #"{"kid":"k1","typ":"at+jwt"}"#, #"{"alg":null,"kid":"k1","typ":"at+jwt"}"#,
            #"{"alg":["ES256"],"kid":"k1","typ":"at+jwt"}"#, #"{"alg":256,"kid":"k1","typ":"at+jwt"}"#,
        ])
    func algorithmType(header: String) throws {
        #expect(forge.refusal(of: try forge.forge(header: header)) == .algorithmRefused)
    }

    @Test("HS256 signed with the public key as the secret is refused, whatever form of the key is used")
    func algorithmConfusion() throws {
        let header = #"{"alg":"HS256","kid":"k1","typ":"at+jwt"}"#
        let publicKey = forge.key.publicKey
        let secrets = [
            Data(publicKey.pemRepresentation.utf8), publicKey.derRepresentation, publicKey.x963Representation,
            publicKey.rawRepresentation, publicKey.compressedRepresentation, forge.ring.jwks, Data(),
        ]
        for secret in secrets {
            let token = try forge.forge(header: header, sign: TokenForge.hmac(secret))
            #expect(forge.refusal(of: token) == .algorithmRefused)
        }
    }

    @Test("An ES256 header over an HMAC, and a refresh key named by an access token, are refused")
    func keyConfusion() throws {
        let hmac = try forge.forge(sign: TokenForge.hmac(forge.key.publicKey.x963Representation))
        #expect(forge.refusal(of: hmac) == .badSignature)
        let secret = forge.refreshSecret.withUnsafeBytes { Data($0) }
        let borrowed = try forge.forge(
            header: #"{"alg":"HS256","kid":"r1","typ":"at+jwt"}"#, sign: TokenForge.hmac(secret))
        #expect(forge.refusal(of: borrowed) == .unknownKey)
    }

    @Test(
        "A kid is a name and nothing else: unknown ones, paths, SQL and addresses are refused",
        arguments: [
            "k2", "K1", "k1 ", " k1", "", "k1\\u0000", "../../../../dev/null", "/dev/null", "file:///dev/null",
            "' OR '1'='1", "k1' UNION SELECT 'secret' --", "k1; DROP TABLE keys", "https://evil.test/jwks.json",
            "${jndi:ldap://evil.test}", "| cat /etc/passwd", "%2e%2e%2fk1", "k1\\n", "\\u212A1",
        ])
    func keyID(kid: String) throws {
        let header = #"{"alg":"ES256","kid":"\#(kid)","typ":"at+jwt"}"#
        #expect(forge.refusal(of: try forge.forge(header: header)) == .unknownKey)
    }

    @Test("A kid of 6 KiB is refused")
    func longKeyID() throws {
        let header = #"{"alg":"ES256","kid":"\#(String(repeating: "k", count: 4_096))","typ":"at+jwt"}"#
        #expect(forge.refusal(of: try forge.forge(header: header)) == .unknownKey)
    }

    @Test(
        "A header without a kid is refused, even though there is one key",
        arguments: ["", #""kid":null,"#, #""kid":1,"#])
    func missingKeyID(member: String) throws {
        let header = #"{"alg":"ES256",\#(member)"typ":"at+jwt"}"#
        #expect(forge.refusal(of: try forge.forge(header: header)) == .missingKeyID)
    }

    @Test(
        "A key that the token brings or points to is refused, signed by that key or by ours",
        arguments: TokenError.ForbiddenHeader.allCases)
    func embeddedKeys(member: TokenError.ForbiddenHeader) throws {
        let own = P256.Signing.PrivateKey()
        let point = own.publicKey.rawRepresentation
        let jwk =
            #"{"kty":"EC","crv":"P-256","kid":"k1","x":"\#(TokenForge.encode(point.prefix(32)))","#
            + #""y":"\#(TokenForge.encode(point.suffix(32)))"}"#
        let value =
            switch member {
            case .jwk: jwk
            case .crit: #"["b64"]"#
            case .b64: "false"
            case .x5c: #"["MIIB"]"#
            default: #""https://evil.test/keys""#
            }
        let header = #"{"alg":"ES256","kid":"k1","typ":"at+jwt","\#(member.rawValue)":\#(value)}"#
        #expect(forge.refusal(of: try forge.forge(header: header)) == .forbiddenHeader(member))
        let theirs = try forge.forge(header: header) { try own.signature(for: $0).rawRepresentation }
        #expect(forge.refusal(of: theirs) == .forbiddenHeader(member))
    }

    @Test("A forbidden member is found under an escaped name too")
    func escapedName() throws {
        let header = #"{"alg":"ES256","kid":"k1","typ":"at+jwt","\u006aku":"https://evil.test"}"#
        #expect(forge.refusal(of: try forge.forge(header: header)) == .forbiddenHeader(.jku))
    }

    @Test("A token of another key with our kid is refused")
    func otherKey() throws {
        let own = P256.Signing.PrivateKey()
        let token = try forge.forge { try own.signature(for: $0).rawRepresentation }
        #expect(forge.refusal(of: token) == .badSignature)
    }

    @Test(
        "A type other than at+jwt is refused: no token of one kind passes for another",
        arguments: [
            #""JWT""#, #""jwt""#, #""AT+JWT""#, #""at+jwt ""#, #""application/at+jwt""#, #""service+jwt""#, "1",
        ])
    func type(literal: String) throws {
        let header = #"{"alg":"ES256","kid":"k1","typ":\#(literal)}"#
        #expect(forge.refusal(of: try forge.forge(header: header)) == .typeRefused)
        #expect(forge.refusal(of: try forge.forge(header: #"{"alg":"ES256","kid":"k1"}"#)) == .typeRefused)
    }

    @Test(
        "A token that is good for one thing alone is of another type, and no other token is of that",
        arguments: [(nil, true), ("mfa:setup", false)] as [(String?, Bool)])
    func confined(scope: String?, mustChangePassword: Bool) throws {
        let token = try forge.issuer.issue(
            subject: UUID(), tenantID: UUID(), roles: [], sessionID: UUID(), methods: ["pwd"], scope: scope,
            mustChangePassword: mustChangePassword
        ).token
        let header = try #require(token.split(separator: ".").first.flatMap(TokenForge.decode))
        #expect(String(decoding: header, as: UTF8.self).contains(#""typ":"confined+jwt""#))
        #expect(try forge.verifier.verify(token).isConfined)
        let confined = #"{"alg":"ES256","kid":"k1","typ":"confined+jwt"}"#
        #expect(forge.refusal(of: try forge.forge(header: confined)) == .typeRefused)
        // As the version before issued them.
        let claims = forge.claims(mustChangePassword ? ["pwd_change": "true"] : ["scope": #""mfa:setup""#])
        #expect(try forge.verifier.verify(try forge.forge(claims: claims)).isConfined)
    }

    @Test("A member that appears twice is refused, in the header and in the claims, also under an escaped name")
    func duplicates() throws {
        let headers = [
            #"{"alg":"none","alg":"ES256","kid":"k1","typ":"at+jwt"}"#,
            #"{"alg":"ES256","kid":"k1","typ":"at+jwt","\u0061lg":"none"}"#,
            #"{"alg":"ES256","kid":"k1","typ":"at+jwt","note":1,"note":2}"#,
        ]
        for header in headers {
            #expect(forge.refusal(of: try forge.forge(header: header)) == .duplicateMember(.header))
        }
        for extra in [#","sub":"\#(UUID())""#, #","\u0073ub":"\#(UUID())""#, #","roles":["owner"]"#] {
            let token = try forge.forge(claims: forge.claims(extra: extra))
            #expect(forge.refusal(of: token) == .duplicateMember(.claims))
        }
    }

    @Test("64 KiB are refused unread, and the longest token allowed is still read")
    func size() throws {
        #expect(forge.refusal(of: String(repeating: "A", count: 65_536)) == .tooLong)
        let padded = try forge.forge(claims: forge.claims(extra: #","x":"\#(String(repeating: "A", count: 49_000))""#))
        #expect(padded.utf8.count > 65_536)
        #expect(forge.refusal(of: padded) == .tooLong)
        let token = try forge.issue()
        #expect(forge.refusal(of: token + String(repeating: "\u{0}", count: 8_192)) == .tooLong)
        let large = try forge.forge(claims: forge.claims(extra: #","x":"\#(String(repeating: "A", count: 5_000))""#))
        #expect(large.utf8.count < 8_192)
        #expect(forge.refusal(of: large) == nil)
    }

    @Test("Every truncation of a token is refused, and everything added at an end")
    func truncation() throws {
        let token = try forge.issue()
        for count in 0..<token.utf8.count {
            #expect(forge.refusal(of: String(token.prefix(count))) != nil, "the first \(count) characters")
            #expect(forge.refusal(of: String(token.suffix(count))) != nil, "the last \(count) characters")
        }
        for added in ["A", "=", "==", ".", " ", "\n", "\r\n", "\t", "\u{0}", ".e30", "\u{301}", "\u{FEFF}"] {
            #expect(forge.refusal(of: token + added) != nil)
            #expect(forge.refusal(of: added + token) != nil)
        }
    }

    @Test("Nested, unterminated and odd JSON is refused without harm")
    func oddJSON() throws {
        let deep = String(repeating: "[", count: 2_000)
        for text in [
            "", "null", "[]", "\"\"", "{", "{}x", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{,}", "{\"a\":\(deep)", "{\"a",
            "{\"a\\", "{\"a\":\"\\", "{\"a\":-}", "{\"a\":01}", "{\"a\":1e}", "{\"a\":tru}", "{'a':1}",
            "{\"a\":\"\u{1}\"}",
            "{\"a\":\"\\ud800\"}", "{\"a\":\"\\q\"}", "\u{FEFF}{}", "{\"a\":1 \"b\":2}", "{\"a\":[1,]}",
            "{\"a\":{\"b\"}}",
        ] {
            let refusal = forge.refusal(of: try forge.forge(claims: text))
            #expect(refusal == .badJSON(.claims) || refusal == .notCompact, "\(text.prefix(20)): \(refusal as Any)")
            #expect(forge.refusal(of: try forge.forge(header: text)) != nil)
        }
        var invalid = Data(#"{"iss":""#.utf8)
        invalid.append(contentsOf: [0xFF, 0xFE, 0x22, 0x7D])
        let signed = TokenForge.encode(Data(TokenForge.header.utf8)) + "." + TokenForge.encode(invalid)
        let signature = try forge.key.signature(for: Data(signed.utf8)).rawRepresentation
        #expect(forge.refusal(of: signed + "." + TokenForge.encode(signature)) == .badJSON(.claims))
    }
}
