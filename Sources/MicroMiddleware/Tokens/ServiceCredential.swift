import Crypto
package import Foundation
import Synchronization

/// How one service proves to another who it is: a JWT of type `service+jwt`, HS256 under `INTERNAL_SECRET`, from one
/// service for one other, for 60 seconds.
///
/// A token of this type is never an access token, nor the other way round: type, key and algorithm all differ.
package final class ServiceCredential: Sendable {
    package static let type = "service+jwt"
    package static let lifetimeSeconds: Int64 = 60
    /// How long one credential is used again for the same audience; it has as long left to travel.
    package static let reuseSeconds: Int64 = 30

    private static let leewaySeconds: Int64 = 5
    private static let maximumBytes = 1_024

    private struct Issued {
        let token: String
        let at: Int64
    }

    private let service: String
    private let ring: KeyRing.Snapshot
    private let now: @Sendable () -> Date
    private let issued = Mutex<[String: Issued]>([:])

    /// - Parameters:
    ///   - service: this service's name: the issuer of what it issues, the audience of what it accepts.
    ///   - previous: a secret that still verifies, while the new one spreads.
    /// - Throws: `KeyRingError.refusedSecret` for fewer than 32 bytes, or white space at an end.
    package init(
        service: String, secret: Secret<String>, previous: Secret<String>? = nil,
        now: @escaping @Sendable () -> Date = { Date() }
    ) throws(KeyRingError) {
        self.service = service
        self.now = now
        var keys = [
            RingKey(
                kid: "internal", use: .access, state: .active, createdAt: .distantPast,
                material: .hs256(
                    SymmetricKey(data: try KeyRing.checked(secret, variable: "INTERNAL_SECRET"))))
        ]
        if let previous {
            keys.append(
                RingKey(
                    kid: "internal-previous", use: .access, state: .retiring, createdAt: .distantPast,
                    material: .hs256(
                        SymmetricKey(data: try KeyRing.checked(previous, variable: "INTERNAL_SECRET_PREVIOUS")))))
        }
        ring = try KeyRing(keys: keys, source: "INTERNAL_SECRET").snapshot
    }

    /// A credential for calling `audience`, at most 30 seconds old.
    package func issue(for audience: String) throws -> String {
        let now = self.now().wholeSeconds
        return try issued.withLock { issued in
            if let last = issued[audience], last.at <= now, now < last.at + Self.reuseSeconds { return last.token }
            guard let key = ring.signingKey(for: .access) else { throw KeyRingError.noActiveKey(.access) }
            let claims = Claims(iss: service, aud: audience, iat: now, exp: now + Self.lifetimeSeconds)
            let token = try CompactToken.sign(claims, type: Self.type, key: key)
            // The audiences are the services of the suite; the bound is for a caller that made names up.
            if issued.count >= 64 { issued.removeAll() }
            issued[audience] = Issued(token: token, at: now)
            return token
        }
    }

    /// The name of the service that calls.
    ///
    /// - Throws: `TokenError` unless the credential is for this service, in time, and under the secret or the previous one.
    package func verify(_ token: some StringProtocol) throws(TokenError) -> String {
        guard token.utf8.count <= Self.maximumBytes else { throw .tooLong }
        let bytes = Array(token.utf8)
        return try bytes.withUnsafeBufferPointer { (bytes) throws(TokenError) in try self.verify(bytes) }
    }

    private func verify(_ token: UnsafeBufferPointer<UInt8>) throws(TokenError) -> String {
        let now = self.now()
        let parts = try CompactToken.Parts(token)
        let key = try serviceKey(for: parts)
        try CompactToken.checkSignature(of: parts, under: key)
        guard let text = Base64URL.decode(parts.claims) else { throw .badEncoding(.claims) }
        let claims = try text.withUnsafeBufferPointer { (text) throws(TokenError) in try Claims(json: text) }
        guard claims.aud == service else { throw .wrongAudience }
        guard now.wholeSeconds < claims.exp + Self.leewaySeconds else { throw .expired }
        guard claims.iat <= now.wholeSeconds + Self.leewaySeconds else { throw .notYetValid }
        guard claims.exp - claims.iat <= Self.lifetimeSeconds else { throw .malformedClaim(.exp) }
        return claims.iss
    }

    /// The key by the header, except that a secret which has become the previous one here still counts: a caller that
    /// has not seen the change yet names it `internal`, one that saw it first names the new one so.
    private func serviceKey(for parts: CompactToken.Parts) throws(TokenError) -> RingKey {
        let header = try TokenHeader(parts.header)
        let named = try header.key(in: ring, for: .access, type: Self.type)
        guard let signature = Base64URL.decode(parts.signature) else { throw .badEncoding(.signature) }
        return ring.keys.first { key in
            signature.withUnsafeBytes { key.isValid(signature: $0, over: parts.signed) }
        } ?? named
    }
}

extension ServiceCredential {
    private struct Claims: Encodable {
        var iss: String
        var aud: String
        var iat: Int64
        var exp: Int64

        init(iss: String, aud: String, iat: Int64, exp: Int64) {
            self.iss = iss
            self.aud = aud
            self.iat = iat
            self.exp = exp
        }

        init(json text: UnsafeBufferPointer<UInt8>) throws(TokenError) {
            var json = try TokenJSON(text, part: .claims)
            var values: [String: String] = [:]
            var times: [String: Int64] = [:]
            while let name = try json.nextMember() {
                switch name {
                case "iss", "aud": values[name] = try json.string()
                case "iat", "exp": times[name] = json.integer()
                default:
                    try json.skip()
                    continue
                }
                guard values[name] != nil || times[name] != nil else {
                    throw .malformedClaim(TokenError.Claim(rawValue: name) ?? .iss)
                }
            }
            guard let iss = values["iss"], !iss.isEmpty else { throw .missingClaim(.iss) }
            guard let aud = values["aud"] else { throw .missingClaim(.aud) }
            guard let iat = times["iat"] else { throw .missingClaim(.iat) }
            guard let exp = times["exp"] else { throw .missingClaim(.exp) }
            self.init(iss: iss, aud: aud, iat: iat, exp: exp)
        }
    }
}
