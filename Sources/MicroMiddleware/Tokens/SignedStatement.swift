import Foundation

/// A statement that somebody signs and anybody checks: a compact JWS (RFC 7515) of a type of its own, so that it is never
/// taken for an access token.
package enum SignedStatement {
    /// - Parameter type: the header's `typ`.
    /// - Throws: `KeyRingError.noActiveKey` when this process holds no signing key.
    package static func sign(_ claims: some Encodable, type: String, ring: KeyRing) throws -> String {
        guard let key = ring.snapshot.signingKey(for: .access) else { throw KeyRingError.noActiveKey(.access) }
        return try CompactToken.sign(claims, type: type, key: key)
    }

    /// The claims of a statement whose signature holds, under any key of the ring, retired ones too: what was signed once
    /// stays signed.
    ///
    /// - Throws: `TokenError` for another type, an unknown key or a bad signature; `DecodingError`.
    package static func verify<Claims: Decodable>(
        _ text: String, type: String, ring: KeyRing, as claims: Claims.Type
    ) throws -> Claims {
        try Array(text.utf8).withUnsafeBufferPointer { token in
            let parts = try CompactToken.Parts(token)
            let key = ring.snapshot.keys.first {
                $0.use == .access && CompactToken.header(type: type, key: $0).elementsEqual(parts.header)
            }
            guard let key else { throw TokenError.unknownKey }
            guard let signature = Base64URL.decode(parts.signature),
                signature.withUnsafeBytes({ key.isValid(signature: $0, over: parts.signed) }),
                let body = Base64URL.decode(parts.claims)
            else { throw TokenError.badSignature }
            return try JSONDecoder().decode(claims, from: Data(body))
        }
    }
}
