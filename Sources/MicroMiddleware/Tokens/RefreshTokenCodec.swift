import Crypto
package import Foundation

/// What a refresh token stands for.
package struct RefreshToken: Sendable, Hashable {
    package var sessionID: UUID
    /// Rises by one with each rotation; the first token of a session is of generation 0.
    package var generation: UInt32
    /// Whole seconds.
    package var expiresAt: Date
    /// What buys a short access token while the session database is away; a token without one then buys nothing.
    package var grant: RefreshGrant?

    package init(sessionID: UUID, generation: UInt32, expiresAt: Date, grant: RefreshGrant? = nil) {
        self.sessionID = sessionID
        self.generation = generation
        self.expiresAt = Date(timeIntervalSince1970: Double(expiresAt.wholeSeconds))
        self.grant = grant
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
    /// Authentic, and of a form that this version does not know: a replica of a newer one wrote it, and can read it.
    case newerForm
    /// The ring holds no active refresh key.
    case noActiveKey
}

/// Writes and reads refresh tokens: `art_` and the base64url of
/// `version (1) ‖ key (8) ‖ session (16) ‖ generation (4) ‖ expiry (8) ‖ grant ‖ HMAC-SHA-256 of all that (32)`.
///
/// Version 1 has no grant, version 2 has one. Whatever comes after them keeps version, key and authenticator where they
/// are, so that a token of a newer program is told from rubbish, and left to those who can read it.
///
/// The text is a function of the token and the key, so that the successor of a token can be derived again for a client that
/// lost the answer. Rubbish is refused before any database is asked.
package struct RefreshTokenCodec: Sendable {
    private static let prefix = "art_"
    private static let headCount = 37
    private static let tagCount = 32
    /// Of the text: no longer one is looked at.
    private static let maximumTextCount =
        prefix.utf8.count + (headCount + RefreshGrant.maximumByteCount + tagCount) * 4 / 3 + 1

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
        let grant = token.grant?.bytes
        var body: [UInt8] = [grant == nil ? 1 : 2]
        body.reserveCapacity(Self.headCount + (grant?.count ?? 0) + Self.tagCount)
        body += Self.name(of: key)
        withUnsafeBytes(of: token.sessionID.uuid) { body += $0 }
        withUnsafeBytes(of: token.generation.bigEndian) { body += $0 }
        withUnsafeBytes(of: token.expiresAt.wholeSeconds.bigEndian) { body += $0 }
        body += grant ?? []
        body += HMAC<SHA256>.authenticationCode(for: body, using: secret)
        return Self.prefix + Base64URL.encode(body)
    }

    /// The token that a text stands for, checked for authenticity and expiry; whether its session lives and its
    /// generation is the last one is for the database to say.
    package func decode(_ text: String) throws(RefreshTokenError) -> RefreshToken {
        let text = String(decoding: Array(text.utf8.prefix(Self.maximumTextCount + 1)), as: UTF8.self)
        guard text.utf8.count <= Self.maximumTextCount, text.hasPrefix(Self.prefix),
            let bytes = Base64URL.decode(String(text.dropFirst(Self.prefix.count))),
            bytes.count >= Self.headCount + Self.tagCount
        else { throw .malformed }
        let isKnown = Self.isKnown(bytes)
        guard isKnown || bytes[0] > 2 else { throw .malformed }
        let body = bytes.dropLast(Self.tagCount)
        let now = self.now()
        let key = ring.snapshot.keys.first { $0.use == .refresh && Self.name(of: $0) == Array(body[1..<9]) }
        guard let key, key.verifies(at: now), case .hs256(let secret) = key.material else {
            throw isKnown ? .unknownKey : .malformed
        }
        guard
            HMAC<SHA256>.isValidAuthenticationCode(
                bytes.suffix(Self.tagCount), authenticating: body, using: secret)
        else { throw isKnown ? .badAuthenticator : .malformed }
        guard isKnown else { throw .newerForm }
        var token = RefreshToken(
            sessionID: UUID(bytes: body[9..<25]), generation: UInt32(truncatingIfNeeded: Self.integer(body[25..<29])),
            expiresAt: Date(timeIntervalSince1970: Double(Int64(bitPattern: Self.integer(body[29..<37])))))
        guard now < token.expiresAt else { throw .expired }
        if bytes[0] == 2 {
            // It is authentic: what it says is well-formed to whoever wrote it.
            guard let grant = RefreshGrant(bytes: body[Self.headCount...]) else { throw .newerForm }
            token.grant = grant
        }
        return token
    }

    /// Whether the bytes are of a version that is written here, as long as such a one is.
    private static func isKnown(_ bytes: [UInt8]) -> Bool {
        bytes.count == headCount + tagCount ? bytes[0] == 1 : bytes[0] == 2
    }

    /// Eight bytes that stand for a key in a token.
    private static func name(of key: RingKey) -> [UInt8] {
        Array(SHA256.hash(data: Array(key.kid.utf8)).prefix(8))
    }

    private static func integer(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        bytes.reduce(0) { $0 << 8 | UInt64($1) }
    }
}
