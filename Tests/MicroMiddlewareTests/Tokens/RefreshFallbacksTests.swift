import Foundation
import MicroMiddleware
import Testing

@Suite("A refresh token that a fallback gives back")
struct RefreshFallbacksTests {
    let forge: TokenForge
    let codec: RefreshTokenCodec
    let token: RefreshToken
    var now: Date { forge.time.now }

    init() throws {
        let forge = try TokenForge()
        self.forge = forge
        codec = RefreshTokenCodec(ring: forge.ring) { [time = forge.time] in time.now }
        token = RefreshToken(
            sessionID: UUID(), generation: 41, expiresAt: forge.time.now + 86_400,
            grant: RefreshGrant(
                userID: UUID(), tenantID: UUID(), roles: ["member"], methods: ["pwd"], mustChangePassword: true,
                authenticatedAt: forge.time.now - 77.123, confirmedAt: forge.time.now,
                userCreatedAt: forge.time.now - 1e8))
    }

    @Test("It says so itself, and is otherwise the same")
    func roundTrip() throws {
        let text = try codec.encode(token)
        let back = try codec.decode(codec.givenBack(token, text: text, at: now + 0.25))
        #expect(back.grant?.fallbacks == RefreshFallbacks.none.noting(now + 0.25))
        #expect(back.grant?.fallbacks.edition == 1)
        var plain = back
        plain.grant?.fallbacks = .none
        #expect(plain == token)
        let again = try codec.decode(codec.givenBack(back, text: text, at: now + 100))
        #expect(again.grant?.fallbacks.edition == 2)
        #expect(again.grant?.fallbacks.cover(now) == true && again.grant?.fallbacks.cover(now + 100) == true)
        #expect(again.grant?.fallbacks.cover(now + 50) == false)
    }

    @Test("Nobody can say so without the key")
    func tampered() throws {
        let raw = try #require(TokenForge.decode(codec.givenBack(token, text: "", at: now).dropFirst(4)))
        for position in raw.indices {
            var changed = raw
            changed[position] ^= 1
            #expect(throws: RefreshTokenError.self, "position \(position)") {
                try codec.decode("art_" + TokenForge.encode(changed))
            }
        }
    }

    @Test("One that has no grant, or no room in it, goes back as it came")
    func noRoom() {
        var bare = token
        bare.grant = nil
        #expect(codec.givenBack(bare, text: "art_x", at: now) == "art_x")
        var large = token
        large.grant?.roles = (0..<70).map { "role-number-\($0)" }
        #expect(codec.givenBack(large, text: "art_x", at: now) == "art_x")
    }

    @Test("An exchange is covered from eleven seconds before the answer until five after")
    func covers() {
        let fallbacks = RefreshFallbacks.none.noting(now)
        for (seconds, covered) in [(-11.1, false), (-10.9, true), (0, true), (4.9, true), (5.1, false)] {
            #expect(fallbacks.cover(now + seconds) == covered, "\(seconds)")
            #expect(RefreshFallbacks.surroundings(of: now).contains(now + seconds) == covered, "\(seconds)")
        }
        #expect(!RefreshFallbacks.none.cover(now))
    }

    @Test("However many there are, all that was covered stays so, and the token stays short")
    func bounded() throws {
        var (token, moments) = (token, [Date]())
        for minute in 0..<60 {
            moments.append(now + Double(minute) * 60)
            token = try #require(token.givenBack(at: moments[minute]))
        }
        let fallbacks = try #require(token.grant?.fallbacks)
        #expect(fallbacks.edition == 60)
        #expect(moments.allSatisfy { fallbacks.cover($0) })
        #expect(!fallbacks.cover(now - 12) && !fallbacks.cover(now + 59 * 60 + 6))
        #expect(try codec.decode(codec.encode(token)) == token)
        #expect(try codec.encode(token).utf8.count < 500)
    }

    @Test("Answers before that may not have arrived count, and are no editions of their own")
    func earlier() {
        let fallbacks = RefreshFallbacks.none.noting(now, earlier: [now - 600, now - 60])
        #expect(fallbacks.edition == 1)
        #expect([0, -60, -600].allSatisfy { fallbacks.cover(now + $0) })
        #expect(!fallbacks.cover(now - 300) && !fallbacks.cover(now - 30))
        // As often as they are told of.
        #expect(
            fallbacks.noting(now, earlier: [now - 60])
                == RefreshFallbacks.none.noting(now).noting(
                    now, earlier: [now - 60, now - 600]))
    }

    @Test("Many in a row are one span, and a clock that is behind does no harm")
    func inARow() {
        var fallbacks = RefreshFallbacks.none
        for second in 0..<600 { fallbacks = fallbacks.noting(now + Double(second)) }
        fallbacks = fallbacks.noting(now + 598).noting(now - 3_000)
        #expect(fallbacks.edition == 602)
        #expect(fallbacks.cover(now) && fallbacks.cover(now + 599) && fallbacks.cover(now - 3_000))
        #expect(!fallbacks.cover(now - 1_000) && !fallbacks.cover(now + 605))
    }
}
