package import Foundation

/// Verifies access tokens offline, without suspending: strict form, a known key, the right issuer and audience, the
/// time, and what has been revoked.
///
/// Refused on principle (RFC 8725): an algorithm that is not the key's, a type that is not `at+jwt` or, of a
/// confined token, `confined+jwt`, a key that the token brings or points to, a header member that changes what is signed, a second spelling of the same bytes.
package final class TokenVerifier: Sendable {
    private let ring: KeyRing
    private let expectation: ClaimsExpectation
    private let leeway: TimeInterval
    private let maximumTokenBytes: Int
    private let revocations: RevocationSet?
    private let cache: VerifiedTokenCache
    private let now: @Sendable () -> Date

    /// - Parameters:
    ///   - leeway: how far clocks may be apart, for expiry and for times in the future.
    ///   - maximumTokenBytes: longer tokens are refused unread.
    ///   - cacheCapacity: how many verified tokens are remembered by digest; 0 for none.
    package init(
        ring: KeyRing, issuer: String, audience: String, leeway: Duration = .seconds(5),
        maximumTokenBytes: Int = 8 * 1_024, revocations: RevocationSet? = nil, cacheCapacity: Int = 8_192,
        now: @escaping @Sendable () -> Date = { Date() }
    ) {
        self.ring = ring
        expectation = ClaimsExpectation(issuer: issuer, audience: audience)
        let (seconds, attoseconds) = leeway.components
        self.leeway = TimeInterval(seconds) + TimeInterval(attoseconds) / 1e18
        self.maximumTokenBytes = maximumTokenBytes
        self.revocations = revocations
        cache = VerifiedTokenCache(capacity: cacheCapacity)
        self.now = now
    }

    /// The claims of a good token. A token seen before costs a digest and a lookup; its expiry, its revocation and the
    /// key ring are checked again each time.
    ///
    /// - Throws: `TokenError`, the first reason found.
    package func verify(_ token: some StringProtocol) throws(TokenError) -> AccessTokenClaims {
        try withBytes(of: token) { (bytes) throws(TokenError) in try self.verify(bytes, usingCache: true) }
    }

    /// As `verify`, but checks the signature anew and remembers nothing.
    package func verifyUncached(_ token: some StringProtocol) throws(TokenError) -> AccessTokenClaims {
        try withBytes(of: token) { (bytes) throws(TokenError) in try self.verify(bytes, usingCache: false) }
    }

    /// How many verified tokens are remembered.
    package var cachedTokenCount: Int { cache.count }

    private func withBytes(
        of token: some StringProtocol,
        _ body: (UnsafeBufferPointer<UInt8>) throws(TokenError) -> AccessTokenClaims
    ) throws(TokenError) -> AccessTokenClaims {
        // The length of a string in UTF-8 is known without reading it; nothing of a token that is too long is copied.
        guard token.utf8.count <= maximumTokenBytes else { throw .tooLong }
        var outcome: Result<AccessTokenClaims, TokenError>?
        let run: (UnsafeBufferPointer<UInt8>) -> Void = { bytes in
            do throws(TokenError) { outcome = .success(try body(bytes)) } catch { outcome = .failure(error) }
        }
        if token.utf8.withContiguousStorageIfAvailable(run) == nil { Array(token.utf8).withUnsafeBufferPointer(run) }
        guard let outcome else { throw .notCompact }
        return try outcome.get()
    }

    private func verify(
        _ token: UnsafeBufferPointer<UInt8>, usingCache: Bool
    ) throws(TokenError) -> AccessTokenClaims {
        let now = self.now()
        let ring = self.ring.snapshot
        guard usingCache, cache.isEnabled else { return try check(token, ring: ring, now: now).claims }
        let key = VerifiedTokenCache.Key(token)
        if let entry = cache.entry(for: key), entry.ring === ring {
            guard now < entry.goodUntil else {
                cache.remove(key)
                // Read it again, to say why.
                return try check(token, ring: ring, now: now).claims
            }
            guard revocations?.contains(entry.claims) != true else { throw .revoked }
            return entry.claims
        }
        let entry = try check(token, ring: ring, now: now)
        cache.store(entry, for: key)
        return entry.claims
    }

    private func check(
        _ token: UnsafeBufferPointer<UInt8>, ring: KeyRing.Snapshot, now: Date
    ) throws(TokenError) -> VerifiedTokenCache.Entry {
        let parts = try CompactToken.Parts(token)
        let (key, isTypedConfined) = try CompactToken.accessKey(for: parts, ring: ring, now: now)
        try CompactToken.checkSignature(of: parts, under: key)
        let claims = try AccessTokenClaims(encoded: parts.claims, expecting: expectation)
        // The version before typed confined tokens as it did others; what they reach is for their claims to say.
        guard claims.isConfined || !isTypedConfined else { throw .typeRefused }
        guard now < claims.expiresAt.addingTimeInterval(leeway) else { throw .expired }
        guard claims.issuedAt <= now.addingTimeInterval(leeway) else { throw .notYetValid }
        guard revocations?.contains(claims) != true else { throw .revoked }
        let goodUntil = claims.expiresAt.addingTimeInterval(leeway)
        let keyGoodUntil = key.state == .retired ? key.verifiesUntil ?? .distantPast : .distantFuture
        return VerifiedTokenCache.Entry(claims: claims, goodUntil: min(goodUntil, keyGoodUntil), ring: ring)
    }
}

extension CompactToken {
    /// The key under which an access token must be signed, by its header, and whether that says that the token is confined.
    static func accessKey(
        for parts: Parts, ring: KeyRing.Snapshot, now: Date
    ) throws(TokenError) -> (key: RingKey, isConfined: Bool) {
        // Our issuer's header is always the same bytes for a key, and is recognised so. Others are read.
        let key: RingKey
        var isConfined = false
        if let known = ring.key(forAccessTokenHeader: parts.header) {
            key = known
        } else {
            let header = try TokenHeader(parts.header)
            isConfined = header.type == TokenIssuer.confinedType
            key = try header.key(
                in: ring, for: .access, type: isConfined ? TokenIssuer.confinedType : TokenIssuer.type)
        }
        guard key.verifies(at: now) else { throw .retiredKey }
        return (key, isConfined)
    }

    static func checkSignature(of parts: Parts, under key: RingKey) throws(TokenError) {
        guard let signature = Base64URL.decode(parts.signature) else { throw .badEncoding(.signature) }
        let isValid = signature.withUnsafeBytes { key.isValid(signature: $0, over: parts.signed) }
        guard isValid else { throw .badSignature }
    }
}
