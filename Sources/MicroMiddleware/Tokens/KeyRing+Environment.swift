import Crypto
import Foundation

extension KeyRing {
    /// A ring of shared secrets, for those who configure `JWT_SECRET`: HS256 access tokens, and refresh tokens under a
    /// key derived from the same secret (HKDF-SHA-256), so that one secret never serves two uses.
    ///
    /// - Parameter previous: `JWT_SECRET_PREVIOUS`: still verifies, no longer signs.
    /// - Throws: `KeyRingError.refusedSecret` for fewer than 32 bytes, or white space at an end: it is a newline that an
    ///   editor left more often than a part of the secret.
    package static func shared(
        secret: Secret<String>, previous: Secret<String>? = nil
    ) throws(KeyRingError) -> KeyRing {
        var keys = try keys(of: secret, variable: "JWT_SECRET", state: .active)
        if let previous {
            guard !previous.matches(secret.reveal()) else {
                throw .refusedSecret(variable: "JWT_SECRET_PREVIOUS", reason: "it is the same as JWT_SECRET")
            }
            keys += try Self.keys(of: previous, variable: "JWT_SECRET_PREVIOUS", state: .retiring)
        }
        return try KeyRing(keys: keys, source: "JWT_SECRET")
    }

    private static func keys(
        of secret: Secret<String>, variable: String, state: KeyState
    ) throws(KeyRingError) -> [RingKey] {
        let bytes = try checked(secret, variable: variable)
        let root = SymmetricKey(data: bytes)
        // The name is a function of the secret, so that every process finds it, and says nothing of it that a token
        // signed with the secret does not say.
        let tag = HMAC<SHA256>.authenticationCode(for: Array("authms kid".utf8), using: root)
        let name = tag.prefix(6).map { hexByte($0) }.joined()
        let refresh = HKDF<SHA256>.deriveKey(
            inputKeyMaterial: root, info: Array("authms refresh token v1".utf8), outputByteCount: 32)
        return [
            RingKey(kid: "hs-\(name)", use: .access, state: state, createdAt: .distantPast, material: .hs256(root)),
            RingKey(kid: "rt-\(name)", use: .refresh, state: state, createdAt: .distantPast, material: .hs256(refresh)),
        ]
    }

    /// The bytes of a shared secret that is long enough and has no stray white space.
    static func checked(_ secret: Secret<String>, variable: String) throws(KeyRingError) -> [UInt8] {
        let text = secret.reveal()
        guard text.first?.isWhitespace != true, text.last?.isWhitespace != true else {
            throw .refusedSecret(
                variable: variable, reason: "it begins or ends with white space; remove it, or the stray newline")
        }
        guard text.utf8.count >= 32 else {
            throw .refusedSecret(variable: variable, reason: "it has \(text.utf8.count) bytes and needs at least 32")
        }
        return Array(text.utf8)
    }

    private static func hexByte(_ byte: UInt8) -> String {
        let text = String(byte, radix: 16)
        return text.count == 1 ? "0" + text : text
    }
}
