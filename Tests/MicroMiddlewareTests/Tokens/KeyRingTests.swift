import Crypto
import Foundation
import JWTKit
import MicroMiddleware
import Testing

@Suite("The key ring")
struct KeyRingTests {
    static func withDirectory<Result>(_ body: (String) async throws -> Result) async throws -> Result {
        let path = NSTemporaryDirectory() + "/authms-ring-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: path) }
        return try await body(path)
    }

    static func mode(_ path: String) throws -> Int {
        try #require(try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int)
    }

    static func key(_ kid: String, _ state: KeyState, until: Date? = nil) -> RingKey {
        RingKey(
            kid: kid, use: .access, state: state, createdAt: Date(), verifiesUntil: until,
            material: .es256(P256.Signing.PrivateKey()))
    }

    @Test("A generated ring loads again, signs, and is readable by its owner only")
    func generate() async throws {
        try await Self.withDirectory { directory in
            let made = try KeyRing.generate(directory: directory)
            let loaded = try KeyRing.load(directory: directory)
            try loaded.selfTest(uses: [.access, .refresh])
            #expect(loaded.keys.map(\.kid) == made.keys.map(\.kid) && loaded.jwks == made.jwks)
            #expect(try Self.mode(directory) == 0o700)
            for file in ["ring.json", "access-1.pem", "refresh-1.key"] {
                #expect(try Self.mode("\(directory)/\(file)") == 0o600)
            }
            #expect(try FileManager.default.contentsOfDirectory(atPath: directory).count == 4)
            let published = try KeyRing.verificationOnly(jwksFile: "\(directory)/jwks.json")
            let token = try TokenIssuer(ring: loaded, issuer: "i", audience: "a").issue(
                subject: UUID(), tenantID: UUID(), roles: [], sessionID: UUID(), methods: ["pwd"]
            ).token
            #expect(try TokenVerifier(ring: published, issuer: "i", audience: "a").verify(token).roles == [])
        }
    }

    @Test("A ring that is there is not overwritten, one that was half made is made anew")
    func generateTwice() async throws {
        try await Self.withDirectory { directory in
            try KeyRing.generate(directory: directory)
            #expect(throws: KeyRingError.self) { try KeyRing.generate(directory: directory) }
            try FileManager.default.removeItem(atPath: "\(directory)/ring.json")
            try KeyRing.generate(directory: directory)
            try KeyRing.load(directory: directory).selfTest(uses: [.access, .refresh])
        }
    }

    @Test("A broken ring is refused with a sentence that names the file and shows no key")
    func broken() async throws {
        try await Self.withDirectory { directory in
            #expect(throws: KeyRingError.self) { try KeyRing.load(directory: directory) }
            try KeyRing.generate(directory: directory)
            let index = try String(contentsOfFile: "\(directory)/ring.json", encoding: .utf8)
            let pem = try String(contentsOfFile: "\(directory)/access-1.pem", encoding: .utf8)
            let cases = [
                ("ring.json", "{}"), ("ring.json", index.replacing("access-1.pem", with: "../access-1.pem")),
                ("ring.json", index.replacing("access-1.pem", with: "gone.pem")),
                ("ring.json", index.replacing("ES256", with: "none")),
                ("ring.json", index.replacing("ES256", with: "HS256")),
                ("access-1.pem", String(pem.dropFirst(40))), ("access-1.pem", ""),
                ("refresh-1.key", "c2hvcnQ="), ("refresh-1.key", "not base64 at all, though it is long enough!"),
            ]
            for (file, text) in cases {
                let path = "\(directory)/\(file)"
                let good = try String(contentsOfFile: path, encoding: .utf8)
                try text.write(toFile: path, atomically: false, encoding: .utf8)
                let error = #expect(throws: KeyRingError.self) { try KeyRing.load(directory: directory) }
                let sentence = try #require(error).description
                #expect(sentence.contains(directory) && !sentence.contains("BEGIN"), "\(sentence)")
                try good.write(toFile: path, atomically: false, encoding: .utf8)
            }
            _ = try KeyRing.load(directory: directory)
        }
    }

    @Test("Every state is published and verifies; a retired key only until its last token has expired")
    func states() throws {
        let now = Date()
        let ring = try KeyRing(keys: [
            Self.key("pending", .pending), Self.key("active", .active), Self.key("retiring", .retiring),
            Self.key("retired", .retired, until: now + 60), Self.key("gone", .retired, until: now - 1),
            Self.key("forgotten", .retired),
        ])
        let published = try KeyRing.verificationOnly(jwks: ring.jwks(at: now))
        #expect(published.keys.map(\.kid) == ["pending", "active", "retiring", "retired"])
        #expect(ring.snapshot.signingKey(for: .access)?.kid == "active")
        #expect(!String(decoding: ring.jwks, as: UTF8.self).contains("\"d\""))
    }

    @Test("A token under a key whose time is over is refused, also when it is cached")
    func retired() throws {
        let forge = try TokenForge(cacheCapacity: 64)
        let token = try forge.issue()
        let until = forge.time.now.addingTimeInterval(60)
        let key = RingKey(
            kid: "k1", use: .access, state: .retired, createdAt: forge.time.now, verifiesUntil: until,
            material: .es256(forge.key))
        forge.ring.replace(with: try KeyRing(keys: [key]))
        #expect(forge.refusal(of: token) == nil && forge.refusal(of: token) == nil)
        forge.time.advance(by: 60)
        #expect(forge.refusal(of: token) == .retiredKey)
        #expect(throws: KeyRingError.noActiveKey(.access)) { try forge.issue() }
    }

    @Test("Two keys of one name, two active ones for a use, or a name with a slash make no ring")
    func invalid() throws {
        for keys in [
            [Self.key("a", .active), Self.key("a", .pending)], [Self.key("a", .active), Self.key("b", .active)],
            [Self.key("a/b", .active)], [Self.key("", .active)], [Self.key("k\"", .active)],
        ] {
            #expect(throws: KeyRingError.self) { try KeyRing(keys: keys) }
        }
        #expect(throws: KeyRingError.noActiveKey(.access)) {
            try KeyRing(keys: [Self.key("a", .retiring)]).selfTest()
        }
    }

    @Test(
        "A key set that would hide or weaken a key is refused",
        arguments: [
            "", "{}", #"{"keys":[]}"#, #"{"keys":[{"kty":"oct","kid":"k1","k":"c2VjcmV0"}]}"#,
            #"{"keys":[{"kty":"RSA","kid":"k1","n":"AQAB","e":"AQAB"}]}"#,
            #"{"keys":[{"kty":"EC","crv":"P-256","kid":"k1","x":"AAAA","y":"AAAA"}]}"#,
            #"{"keys":[{"kty":"EC","crv":"P-256","kid":"k1","x":"\#(String(repeating: "A", count: 43))","y":"\#(String(repeating: "A", count: 43))"}]}"#,
        ])
    func keySets(text: String) {
        #expect(throws: KeyRingError.self) { try KeyRing.verificationOnly(jwks: Data(text.utf8)) }
    }

    @Test("A shared secret signs HS256, is never published, and a previous one still verifies")
    func shared() throws {
        let (new, old) = (
            Secret("n3w-secret-of-more-than-32-characters"), Secret("0ld-secret-of-more-than-32-characters")
        )
        let before = try KeyRing.shared(secret: old)
        let ring = try KeyRing.shared(secret: new, previous: old)
        try ring.selfTest(uses: [.access, .refresh])
        let token = try TokenIssuer(ring: before, issuer: "i", audience: "a").issue(
            subject: UUID(), tenantID: UUID(), roles: [], sessionID: UUID(), methods: []
        ).token
        #expect(try TokenVerifier(ring: ring, issuer: "i", audience: "a").verify(token).issuer == "i")
        #expect(throws: TokenError.unknownKey) {
            try TokenVerifier(ring: KeyRing.shared(secret: new), issuer: "i", audience: "a").verify(token)
        }
        #expect(ring.jwks == Data(#"{"keys":[]}"#.utf8))
    }

    @Test(
        "A short secret, or one with white space at an end, is refused in words that do not show it",
        arguments: [
            "", "short", String(repeating: "s", count: 31), String(repeating: "s", count: 40) + "\n",
            " " + String(repeating: "s", count: 40), String(repeating: " ", count: 40),
        ])
    func weakSecrets(text: String) throws {
        let error = #expect(throws: KeyRingError.self) { try KeyRing.shared(secret: Secret(text)) }
        let sentence = try #require(error).description
        #expect(sentence.contains("JWT_SECRET") && !sentence.contains("ssss"))
    }

    @Test("jwt-kit, which shares no code with the verifier, verifies our tokens from our key set")
    func interoperability() async throws {
        struct Payload: JWTPayload {
            let sub: String
            let exp: ExpirationClaim
            func verify(using _: some JWTAlgorithm) throws { try exp.verifyNotExpired() }
        }
        let ring = try KeyRing(keys: [Self.key("k1", .retiring), Self.key("k2", .active)])
        let subject = UUID()
        let token = try TokenIssuer(ring: ring, issuer: "i", audience: "a").issue(
            subject: subject, tenantID: UUID(), roles: ["r"], sessionID: UUID(), methods: ["pwd"]
        ).token
        let keys = try await JWTKeyCollection().add(jwksJSON: String(decoding: ring.jwks, as: UTF8.self))
        let payload = try await keys.verify(token, as: Payload.self)
        #expect(payload.sub == subject.uuidString.lowercased())
    }
}
