import Crypto
package import Foundation

/// What a refresh token stands for.
package struct RefreshToken: Sendable, Hashable {
    package var sessionID: UUID
    /// Rises by one with each rotation; the first token of a session is of generation 0.
    package var generation: UInt32
    /// Whole seconds.
    package var expiresAt: Date

    package init(sessionID: UUID, generation: UInt32, expiresAt: Date) {
        self.sessionID = sessionID
        self.generation = generation
        self.expiresAt = Date(timeIntervalSince1970: Double(expiresAt.wholeSeconds))
    }
}

/// Why a refresh token was refused, without looking at any database.
package enum RefreshTokenError: Error, Equatable {
    /// Not of the form that this codec writes.
    case malformed
    /// Under a key that the ring does not hold, or no longer.
    case unknownKey
    /// Tampered with, or not ours.
    case badAuthenticator
    case expired
    /// The ring holds no active refresh key.
    case noActiveKey
}

/// Writes and reads refresh tokens: `art_` and the base64url of
/// `version (1) ‖ key (8) ‖ session (16) ‖ generation (4) ‖ expiry (8) ‖ HMAC-SHA-256 of all that (32)`.
///
/// The text is a function of the token and the key, so that the successor of a token can be derived again for a client
/// that lost the answer. Rubbish is refused before any database is asked.
package struct RefreshTokenCodec: Sendable {
    private static let prefix = "art_"
    private static let version: UInt8 = 1
    private static let bodyCount = 37
    private static let textCount = 4 + 92

    private let ring: KeyRing
    private let now: @Sendable () -> Date

    package init(ring: KeyRing, now: @escaping @Sendable () -> Date = { Date() }) {
        self.ring = ring
        self.now = now
    }

    /// The token's text under the active refresh key: always the same for the same token and key.
    package func encode(_ token: RefreshToken) throws(RefreshTokenError) -> String {
        guard let key = ring.snapshot.signingKey(for: .refresh), case .hs256(let secret) = key.material else {
            throw .noActiveKey
        }
        var body: [UInt8] = [Self.version]
        body.reserveCapacity(Self.bodyCount + 32)
        body += Self.name(of: key)
        withUnsafeBytes(of: token.sessionID.uuid) { body += $0 }
        withUnsafeBytes(of: token.generation.bigEndian) { body += $0 }
        withUnsafeBytes(of: token.expiresAt.wholeSeconds.bigEndian) { body += $0 }
        body += HMAC<SHA256>.authenticationCode(for: body, using: secret)
        return Self.prefix + Base64URL.encode(body)
    }

    /// The token that a text stands for, checked for authenticity and expiry; whether its session lives and its
    /// generation is the last one is for the database to say.
    package func decode(_ text: String) throws(RefreshTokenError) -> RefreshToken {
        let text = String(decoding: Array(text.utf8.prefix(Self.textCount + 1)), as: UTF8.self)
        guard text.utf8.count == Self.textCount, text.hasPrefix(Self.prefix),
            let bytes = Base64URL.decode(String(text.dropFirst(Self.prefix.count))),
            bytes.count == Self.bodyCount + 32, bytes[0] == Self.version
        else { throw .malformed }
        let body = bytes[..<Self.bodyCount]
        let now = self.now()
        let key = ring.snapshot.keys.first { $0.use == .refresh && Self.name(of: $0) == Array(body[1..<9]) }
        guard let key, key.verifies(at: now), case .hs256(let secret) = key.material else { throw .unknownKey }
        guard
            HMAC<SHA256>.isValidAuthenticationCode(bytes[Self.bodyCount...], authenticating: body, using: secret)
        else { throw .badAuthenticator }
        let token = RefreshToken(
            sessionID: Self.uuid(body[9..<25]), generation: UInt32(truncatingIfNeeded: Self.integer(body[25..<29])),
            expiresAt: Date(timeIntervalSince1970: Double(Int64(bitPattern: Self.integer(body[29..<37])))))
        guard now < token.expiresAt else { throw .expired }
        return token
    }

    /// Eight bytes that stand for a key in a token.
    private static func name(of key: RingKey) -> [UInt8] {
        Array(SHA256.hash(data: Array(key.kid.utf8)).prefix(8))
    }

    private static func integer(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        bytes.reduce(0) { $0 << 8 | UInt64($1) }
    }

    private static func uuid(_ bytes: ArraySlice<UInt8>) -> UUID {
        var value = UUID().uuid
        withUnsafeMutableBytes(of: &value) { $0.copyBytes(from: bytes) }
        return UUID(uuid: value)
    }
}
