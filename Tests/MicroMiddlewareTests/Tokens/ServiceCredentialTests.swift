import Foundation
import MicroMiddleware
import Testing

@Suite("Service credentials")
struct ServiceCredentialTests {
    static let secret = Secret("the-internal-secret-of-this-suite-is-long")
    let time = ManualTime()

    func service(_ name: String, _ secret: Secret<String> = secret, previous: Secret<String>? = nil) throws
        -> ServiceCredential
    {
        try ServiceCredential(service: name, secret: secret, previous: previous) { [time] in time.now }
    }

    @Test("A service proves its name to the service that it calls, and to no other")
    func audience() throws {
        let credential = try service("identity").issue(for: "session")
        #expect(try service("session").verify(credential) == "identity")
        #expect(throws: TokenError.wrongAudience) { try service("audit").verify(credential) }
        #expect(throws: TokenError.wrongAudience) { try service("identity").verify(credential) }
    }

    @Test("A credential is used again for 30 seconds and refused 65 seconds after it was made")
    func lifetime() throws {
        let identity = try service("identity")
        let session = try service("session")
        let first = try identity.issue(for: "session")
        time.advance(by: 29)
        #expect(try identity.issue(for: "session") == first)
        #expect(try identity.issue(for: "audit") != first)
        time.advance(by: 1)
        #expect(try identity.issue(for: "session") != first)
        time.advance(by: 34)
        #expect(try session.verify(first) == "identity")
        time.advance(by: 1)
        #expect(throws: TokenError.expired) { try session.verify(first) }
    }

    @Test("A clock that was set back does not make a credential from the future")
    func clockSetBack() throws {
        let identity = try service("identity")
        let first = try identity.issue(for: "session")
        time.advance(by: -600)
        #expect(throws: TokenError.notYetValid) { try service("session").verify(first) }
        #expect(try service("session").verify(identity.issue(for: "session")) == "identity")
    }

    @Test("A secret can be changed one process at a time")
    func rotation() throws {
        let next = Secret("the-next-internal-secret-of-this-suite-is-long")
        let (old, new) = (try service("identity"), try service("session", next, previous: Self.secret))
        #expect(try new.verify(old.issue(for: "session")) == "identity")
        #expect(throws: TokenError.badSignature) { try old.verify(new.issue(for: "identity")) }
        let renewed = try service("identity", next, previous: Self.secret)
        #expect(try renewed.verify(new.issue(for: "identity")) == "session")
    }

    @Test("An access token is no credential and a credential no access token, under one secret even")
    func kinds() throws {
        let ring = try KeyRing.shared(secret: Self.secret)
        let access = try TokenIssuer(ring: ring, issuer: "identity", audience: "session") { [time] in time.now }.issue(
            subject: UUID(), tenantID: UUID(), roles: [], sessionID: UUID(), methods: []
        ).token
        #expect(throws: TokenError.typeRefused) { try service("session").verify(access) }
        let credential = try service("identity").issue(for: "session")
        let verifier = TokenVerifier(ring: ring, issuer: "identity", audience: "session") { [time] in time.now }
        #expect(throws: TokenError.typeRefused) { try verifier.verify(credential) }
    }

    @Test("Tampered, foreign, unsigned and oversized credentials are refused")
    func tampered() throws {
        let session = try service("session")
        let good = try service("identity").issue(for: "session")
        let foreign = try service("identity", Secret("another-secret-that-is-as-long-as-needed")).issue(for: "session")
        #expect(throws: TokenError.badSignature) { try session.verify(foreign) }
        #expect(throws: TokenError.tooLong) { try session.verify(String(repeating: "A", count: 2_000)) }
        for count in 0..<good.utf8.count {
            #expect(throws: TokenError.self) { try session.verify(good.prefix(count)) }
        }
        let forge = try TokenForge()
        let now = Int(time.now.timeIntervalSince1970)
        let claims = #"{"iss":"identity","aud":"session","iat":\#(now),"exp":\#(now + 60)}"#
        let unsigned = try forge.forge(
            header: #"{"alg":"none","kid":"internal","typ":"service+jwt"}"#, claims: claims)
        #expect(throws: TokenError.algorithmRefused) { try session.verify(unsigned) }
    }

    @Test("Even with the secret nobody makes a credential of more than a minute")
    func longLived() throws {
        let forge = try TokenForge()
        let now = Int(time.now.timeIntervalSince1970)
        let claims = #"{"iss":"identity","aud":"session","iat":\#(now),"exp":\#(now + 61)}"#
        let token = try forge.forge(
            header: #"{"alg":"HS256","kid":"internal","typ":"service+jwt"}"#, claims: claims,
            sign: TokenForge.hmac(Data(Self.secret.reveal().utf8)))
        #expect(throws: TokenError.malformedClaim(.exp)) { try service("session").verify(token) }
    }

    @Test("A short internal secret is refused")
    func shortSecret() {
        #expect(throws: KeyRingError.self) { try service("session", Secret("short")) }
    }
}
