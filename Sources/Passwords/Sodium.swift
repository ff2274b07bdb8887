import CSodium
import Foundation

/// The calls of libsodium that this module makes; each blocks for the time of a hash.
enum Sodium {
    /// Initialises the library, once, for all threads.
    static let isReady: Bool = sodium_init() >= 0

    /// HMAC-SHA-256 of the password under the pepper: what Argon2id hashes instead of the password. The password is
    /// brought to NFKC first, so that it matches however a keyboard composes it (NIST SP 800-63B §5.1.1.2).
    static func peppered(_ password: String, with pepper: Pepper) -> [UInt8] {
        var text = Array(password.precomposedStringWithCompatibilityMapping.utf8)
        defer { sodium_memzero(&text, text.count) }
        var state = crypto_auth_hmacsha256_state()
        var mac = [UInt8](repeating: 0, count: Int(crypto_auth_hmacsha256_BYTES))
        crypto_auth_hmacsha256_init(&state, pepper.bytes, pepper.bytes.count)
        crypto_auth_hmacsha256_update(&state, text, UInt64(text.count))
        crypto_auth_hmacsha256_final(&state, &mac)
        sodium_memzero(&state, MemoryLayout.size(ofValue: state))
        return mac
    }

    /// A name for a secret of 32 bytes or more, which does not tell it: 64 bits of BLAKE2b, in hexadecimal.
    static func fingerprint(of secret: [UInt8]) -> String {
        let purpose = Array("authms pepper id".utf8)
        var digest = [UInt8](repeating: 0, count: Int(crypto_generichash_BYTES_MIN))
        crypto_generichash(&digest, digest.count, secret, UInt64(secret.count), purpose, purpose.count)
        return digest.prefix(8).map { byte in
            let text = String(byte, radix: 16)
            return text.count == 1 ? "0" + text : text
        }.joined()
    }

    /// A new hash with a new random salt, as libsodium's PHC string.
    static func hash(_ input: [UInt8], parameters: Argon2idParameters) throws(PasswordHashingError) -> String {
        var text = [CChar](repeating: 0, count: Int(crypto_pwhash_argon2id_STRBYTES))
        let status = crypto_pwhash_argon2id_str(
            &text, input.map(CChar.init(bitPattern:)), UInt64(input.count), UInt64(parameters.iterations),
            parameters.memoryBytes)
        guard status == 0 else { throw .outOfMemory }
        return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    /// Whether `input` hashes to `hash`, in a time that depends on the hash's parameters alone.
    ///
    /// - Throws: `.outOfMemory`, which must never pass for a wrong password.
    static func verify(_ input: [UInt8], against hash: String) throws(PasswordHashingError) -> Bool {
        errno = 0
        let status = crypto_pwhash_argon2id_str_verify(
            hash, input.map(CChar.init(bitPattern:)), UInt64(input.count))
        if status != 0, errno == ENOMEM { throw .outOfMemory }
        return status == 0
    }

    /// A hash that no password has: a random salt and random bits, as costly to compare with as a true one.
    static func impossibleHash(parameters: Argon2idParameters) -> String {
        let (salt, bits) = (randomBase64(count: 16), randomBase64(count: 32))
        return "$argon2id$v=19$m=\(parameters.memoryKiB),t=\(parameters.iterations),p=1$\(salt)$\(bits)"
    }

    private static func randomBase64(count: Int) -> String {
        var bytes = [UInt8](repeating: 0, count: count)
        randombytes_buf(&bytes, count)
        return String(Data(bytes).base64EncodedString().prefix { $0 != "=" })
    }
}
