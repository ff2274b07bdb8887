import Contracts
import Crypto
import Foundation
import MicroMiddleware
import Synchronization
import Testing

/// A clock that stands still until it is moved.
final class ManualTime: Sendable {
    private let value: Mutex<Date>

    init(_ date: Date = Date(timeIntervalSince1970: 1_800_000_000)) {
        value = Mutex(date)
    }

    var now: Date { value.withLock { $0 } }

    func advance(by seconds: TimeInterval) {
        value.withLock { $0 += seconds }
    }
}

/// A ring with one known key of each kind, an issuer, a verifier, and an attacker's workshop.
struct TokenForge {
    static let issuerName = "https://authms.test"
    static let audienceName = "authms"

    let time = ManualTime()
    let key: P256.Signing.PrivateKey
    let refreshSecret = SymmetricKey(size: .bits256)
    let ring: KeyRing
    let revocations = RevocationSet()
    let issuer: TokenIssuer
    let verifier: TokenVerifier

    init(cacheCapacity: Int = 0) throws {
        let key = P256.Signing.PrivateKey()
        let time = self.time
        let ring = try KeyRing(keys: [
            RingKey(kid: "k1", use: .access, state: .active, createdAt: time.now, material: .es256(key)),
            RingKey(kid: "r1", use: .refresh, state: .active, createdAt: time.now, material: .hs256(refreshSecret)),
        ])
        self.key = key
        self.ring = ring
        issuer = TokenIssuer(ring: ring, issuer: Self.issuerName, audience: Self.audienceName) { time.now }
        verifier = TokenVerifier(
            ring: ring, issuer: Self.issuerName, audience: Self.audienceName, revocations: revocations,
            cacheCapacity: cacheCapacity
        ) { time.now }
    }

    /// A good token of a random user.
    func issue(subject: UUID = UUID(), tenantID: UUID = UUID(), sessionID: UUID = UUID()) throws -> String {
        try issuer.issue(
            subject: subject, tenantID: tenantID, roles: ["member", "auditor"], sessionID: sessionID, methods: ["pwd"]
        ).token
    }

    /// The header of our tokens.
    static let header = #"{"alg":"ES256","kid":"k1","typ":"at+jwt"}"#

    /// Good claims as JSON text, with members replaced by `changes` (a literal, or nil to leave one out).
    func claims(_ changes: [String: String?] = [:], extra: String = "") -> String {
        let now = Int(time.now.timeIntervalSince1970)
        var members: [(String, String)] = [
            ("iss", "\"\(Self.issuerName)\""), ("aud", "\"\(Self.audienceName)\""), ("sub", "\"\(UUID())\""),
            ("tenant_id", "\"\(UUID())\""), ("roles", #"["member"]"#), ("sid", "\"\(UUID())\""),
            ("jti", "\"\(UUID())\""), ("iat", "\(now)"), ("exp", "\(now + 1_800)"), ("auth_time", "\(now)"),
            ("amr", #"["pwd"]"#),
        ]
        for (name, literal) in changes {
            members.removeAll { $0.0 == name }
            if let literal { members.append((name, literal)) }
        }
        return "{" + members.map { "\"\($0.0)\":\($0.1)" }.joined(separator: ",") + extra + "}"
    }

    /// A token of these texts, signed by `sign`; by the ring's own key unless told otherwise.
    func forge(
        header: String = TokenForge.header, claims: String? = nil, sign: ((Data) throws -> Data)? = nil
    ) throws -> String {
        let signed = Self.encode(Data(header.utf8)) + "." + Self.encode(Data((claims ?? self.claims()).utf8))
        let signature = try (sign ?? { try key.signature(for: $0).rawRepresentation })(Data(signed.utf8))
        return signed + "." + Self.encode(signature)
    }

    static func encode(_ data: Data) -> String {
        data.base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }

    static func decode(_ text: some StringProtocol) -> Data? {
        let plain = text.replacingOccurrences(of: "-", with: "+").replacingOccurrences(of: "_", with: "/")
        return Data(base64Encoded: plain + String(repeating: "=", count: (4 - plain.count % 4) % 4))
    }

    static func hmac(_ secret: Data) -> (Data) throws -> Data {
        { Data(HMAC<SHA256>.authenticationCode(for: $0, using: SymmetricKey(data: secret))) }
    }

    /// Why the verifier refuses a token; nil when it does not.
    func refusal(of token: String) -> TokenError? {
        do throws(TokenError) {
            _ = try verifier.verify(token)
            return nil
        } catch { return error }
    }
}
