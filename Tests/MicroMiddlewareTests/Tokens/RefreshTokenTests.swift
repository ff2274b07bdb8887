import Crypto
import Foundation
import HTTPTypes
import MicroMiddleware
import Testing

@Suite("Refresh tokens")
struct RefreshTokenTests {
    let forge: TokenForge
    let codec: RefreshTokenCodec
    let token: RefreshToken

    init() throws {
        let forge = try TokenForge()
        self.forge = forge
        codec = RefreshTokenCodec(ring: forge.ring) { [time = forge.time] in time.now }
        token = RefreshToken(
            sessionID: UUID(), generation: 41, expiresAt: forge.time.now.addingTimeInterval(86_400))
    }

    func refusal(of text: String) -> RefreshTokenError? {
        do throws(RefreshTokenError) {
            _ = try codec.decode(text)
            return nil
        } catch { return error }
    }

    @Test("A token's text is always the same, and gives the token back")
    func roundTrip() throws {
        let text = try codec.encode(token)
        #expect(try codec.encode(token) == text)
        #expect(text.hasPrefix("art_") && text.utf8.count == 96)
        #expect(try codec.decode(text) == token)
        for generation in [0, 1, UInt32.max] {
            var other = token
            other.generation = generation
            #expect(try codec.decode(codec.encode(other)) == other)
        }
    }

    @Test("Sessions, generations and expiries give different texts")
    func distinct() throws {
        var texts = Set<String>()
        for generation: UInt32 in 0..<8 {
            for seconds in 1..<8 {
                var other = token
                other.generation = generation
                other.expiresAt = forge.time.now.addingTimeInterval(Double(seconds))
                texts.insert(try codec.encode(other))
            }
        }
        #expect(texts.count == 56)
    }

    @Test("Every single change of a byte is refused, at every place")
    func tampered() throws {
        let text = try codec.encode(token)
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
        let bytes = Array(text.utf8)
        for position in bytes.indices {
            for byte in alphabet where byte != bytes[position] {
                var changed = bytes
                changed[position] = byte
                #expect(refusal(of: String(decoding: changed, as: UTF8.self)) != nil, "position \(position)")
            }
        }
    }

    @Test("A generation or an expiry cannot be raised without the key")
    func raised() throws {
        let raw = try #require(TokenForge.decode(try codec.encode(token).dropFirst(4)))
        for position in 0..<37 {
            for bit in 0..<8 {
                var changed = raw
                changed[position] ^= 1 << UInt8(bit)
                let expected: RefreshTokenError =
                    position == 0 ? .malformed : position < 9 ? .unknownKey : .badAuthenticator
                #expect(refusal(of: "art_" + TokenForge.encode(changed)) == expected)
            }
        }
    }

    @Test(
        "Rubbish is refused as malformed, however long",
        arguments: [
            "", "art_", "ART_", "art", "eyJhbGciOiJub25lIn0.e30.", String(repeating: "A", count: 96),
            "art_" + String(repeating: "A", count: 91), "art_" + String(repeating: "A", count: 93),
            "art_" + String(repeating: "=", count: 92), "art_" + String(repeating: "A", count: 1_000_000),
            "art_" + String(repeating: "é", count: 46), "' OR 1=1 --",
        ])
    func rubbish(text: String) {
        #expect(refusal(of: text) == .malformed)
    }

    @Test("White space and padding around a token are not overlooked", arguments: [" ", "\n", "=", "A", "\u{0}"])
    func surrounded(by text: String) throws {
        #expect(refusal(of: try codec.encode(token) + text) == .malformed)
        #expect(refusal(of: text + (try codec.encode(token))) == .malformed)
    }

    @Test("A token is good until its expiry, exactly")
    func expiry() throws {
        let text = try codec.encode(token)
        forge.time.advance(by: 86_399.9)
        #expect(refusal(of: text) == nil)
        forge.time.advance(by: 0.1)
        #expect(refusal(of: text) == .expired)
    }

    @Test("A token of another ring is refused, by another key's name or by another key")
    func otherRing() throws {
        let text = try codec.encode(token)
        #expect(
            throws: RefreshTokenError.badAuthenticator,
            performing: { try RefreshTokenCodec(ring: TokenForge().ring).decode(text) })
        let renamed = RingKey(
            kid: "r2", use: .refresh, state: .active, createdAt: forge.time.now, material: .hs256(forge.refreshSecret))
        forge.ring.replace(with: try KeyRing(keys: [renamed]))
        #expect(refusal(of: text) == .unknownKey)
    }

    @Test("A retiring key still verifies, the active one signs; without one nothing is signed")
    func rotation() throws {
        let text = try codec.encode(token)
        let old = RingKey(
            kid: "r1", use: .refresh, state: .retiring, createdAt: forge.time.now, material: .hs256(forge.refreshSecret)
        )
        let new = RingKey(
            kid: "r2", use: .refresh, state: .active, createdAt: forge.time.now,
            material: .hs256(SymmetricKey(size: .bits256)))
        forge.ring.replace(with: try KeyRing(keys: [old, new]))
        #expect(try codec.decode(text) == token)
        #expect(try codec.encode(token) != text)
        #expect(try codec.decode(codec.encode(token)) == token)
        forge.ring.replace(with: try KeyRing(keys: [old]))
        #expect(throws: RefreshTokenError.noActiveKey) { try codec.encode(token) }
    }

    @Test("An access key never authenticates a refresh token, even a symmetric one")
    func uses() throws {
        let shared = RingKey(
            kid: "r1", use: .access, state: .active, createdAt: forge.time.now, material: .hs256(forge.refreshSecret))
        let text = try codec.encode(token)
        forge.ring.replace(with: try KeyRing(keys: [shared]))
        #expect(refusal(of: text) == .unknownKey)
    }

    // MARK: - With a grant

    var granted: RefreshToken {
        var granted = token
        granted.grant = RefreshGrant(
            userID: UUID(), tenantID: UUID(), roles: ["member", "auditor", "Prüfer"], methods: ["pwd", "otp"],
            mustChangePassword: true, authenticatedAt: forge.time.now - 77.123, confirmedAt: forge.time.now,
            userCreatedAt: forge.time.now - 1e8)
        return granted
    }

    @Test("A grant comes back as it went, and the text is still always the same")
    func grantRoundTrip() throws {
        let granted = granted
        let text = try codec.encode(granted)
        #expect(try codec.encode(granted) == text)
        #expect(try codec.decode(text) == granted)
        #expect(text.utf8.count < 300)
    }

    @Test("No byte of a grant can be changed, cut, added, moved to another version or left out without the key")
    func grantTampered() throws {
        let raw = try #require(TokenForge.decode(try codec.encode(granted).dropFirst(4)))
        for position in raw.indices {
            var changed = raw
            changed[position] ^= 1
            #expect(refusal(of: "art_" + TokenForge.encode(changed)) != nil, "position \(position)")
        }
        for end in raw.indices { #expect(refusal(of: "art_" + TokenForge.encode(raw.prefix(end))) != nil) }
        #expect(refusal(of: "art_" + TokenForge.encode(raw + [0])) != nil)
        #expect(refusal(of: "art_" + TokenForge.encode(raw[..<37] + raw.suffix(32))) == .malformed)
        let plain = try #require(TokenForge.decode(try codec.encode(token).dropFirst(4)))
        #expect(refusal(of: "art_" + TokenForge.encode([2] + plain.dropFirst())) == .malformed)
        #expect(refusal(of: "art_" + TokenForge.encode([1] + raw.dropFirst())) == .malformed)
    }

    @Test("A token of a version to come is told from rubbish, and left to another replica", arguments: [1, 40])
    func newerForm(more: Int) throws {
        let raw = Array(try #require(TokenForge.decode(try codec.encode(granted).dropFirst(4))))
        func forged(secret: SymmetricKey? = nil, _ change: (inout [UInt8]) -> Void) -> String {
            var body = Array(raw.dropLast(32))
            change(&body)
            let tag = HMAC<SHA256>.authenticationCode(for: body, using: secret ?? forge.refreshSecret)
            return "art_" + TokenForge.encode(Data(body + tag))
        }
        // A flag that this version does not know, with what it announces; a version that it does not know.
        let flagged: (inout [UInt8]) -> Void = { body in
            body[37] |= 4
            body += [UInt8](repeating: 7, count: more)
        }
        #expect(refusal(of: forged(flagged)) == .newerForm)
        #expect(refusal(of: forged { $0[0] = 3 }) == .newerForm)
        #expect(RefreshTokenError.newerForm.apiError.isNotActedOn && RefreshTokenError.newerForm.apiError.status == 503)
        // Whoever has no key gets no further with it than with anything else.
        let other = SymmetricKey(size: .bits256)
        #expect(refusal(of: forged(secret: other, flagged)) == .badAuthenticator)
        #expect(refusal(of: forged(secret: other) { $0[0] = 3 }) == .malformed)
        #expect(RefreshTokenError.badAuthenticator.apiError.status == 401)
        forge.time.advance(by: 86_400)
        #expect(refusal(of: forged(flagged)) == .expired)
    }

    @Test("A grant that is too large is left out, and the token is good all the same")
    func grantTooLarge() throws {
        var large = granted
        large.grant?.roles = (0..<200).map { "role-number-\($0)" }
        #expect(try codec.decode(codec.encode(large)).grant == nil)
        large.grant?.roles = [String(repeating: "r", count: 256)]
        #expect(try codec.decode(codec.encode(large)).sessionID == large.sessionID)
    }
}
