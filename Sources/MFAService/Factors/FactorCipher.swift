import Contracts
import Crypto
package import Foundation
package import MicroMiddleware

/// Encrypts secrets for the database: AES-256-GCM under a key of the ring, bound to whose they are.
package struct FactorCipher: Sendable {
    /// A secret as the database has it.
    package struct Sealed: Sendable, Hashable {
        /// Names the key.
        package var keyID: String
        /// `nonce (12) ‖ ciphertext ‖ tag (16)`
        package var bytes: [UInt8]

        package init(keyID: String, bytes: [UInt8]) {
            self.keyID = keyID
            self.bytes = bytes
        }
    }

    struct Key: Sendable {
        let id: String
        let key: SymmetricKey
    }

    /// The first is in force; the others still decrypt.
    private let keys: [Key]

    /// - Parameters:
    ///   - secret: `MFA_ENCRYPTION_KEY`.
    ///   - previous: the one before it, until nothing is under it any more.
    package init(secret: Secret<String>, previous: Secret<String>? = nil) {
        keys = [Self.key(of: secret)] + (previous.map { [Self.key(of: $0)] } ?? [])
    }

    /// The name of the key in force.
    package var currentKeyID: String { keys[0].id }

    /// Every key that is held.
    package var keyIDs: [String] { keys.map(\.id) }

    /// - Parameter owner: what the secret belongs to: it opens for that and nothing else.
    package func seal(_ secret: Secret<[UInt8]>, for owner: SecretOwner) throws -> Sealed {
        let key = keys[0]
        let box = try AES.GCM.seal(secret.reveal(), using: key.key, authenticating: owner.bytes)
        guard let combined = box.combined else { throw CryptoKitError.incorrectParameterSize }
        return Sealed(keyID: key.id, bytes: Array(combined))
    }

    /// - Throws: ``FactorCipherError``
    package func open(_ sealed: Sealed, for owner: SecretOwner) throws(FactorCipherError) -> Secret<[UInt8]> {
        guard let key = keys.first(where: { $0.id == sealed.keyID }) else { throw .unknownKey(sealed.keyID) }
        guard let box = try? AES.GCM.SealedBox(combined: sealed.bytes),
            let plain = try? AES.GCM.open(box, using: key.key, authenticating: owner.bytes)
        else { throw .damaged }
        return Secret(Array(plain))
    }

    /// The key is derived, so that the configured secret serves this use alone; its name is a function of it, and says
    /// nothing of it.
    private static func key(of secret: Secret<String>) -> Key {
        let root = SymmetricKey(data: Array(secret.reveal().utf8))
        let key = HKDF<SHA256>.deriveKey(
            inputKeyMaterial: root, info: Array("authms mfa secrets v1".utf8), outputByteCount: 32)
        let name = HMAC<SHA256>.authenticationCode(for: Array("authms mfa key name".utf8), using: root)
        return Key(id: "mk-" + Hex.text(Array(name.prefix(6))), key: key)
    }
}

/// Whose a secret is.
package struct SecretOwner: Sendable, Hashable {
    package var tenantID: UUID
    package var userID: UUID
    package var methodID: UUID

    package init(tenantID: UUID, userID: UUID, methodID: UUID) {
        self.tenantID = tenantID
        self.userID = userID
        self.methodID = methodID
    }

    var bytes: [UInt8] { Array("authms totp\(tenantID.text)\(userID.text)\(methodID.text)".utf8) }
}

/// Why a secret cannot be read.
package enum FactorCipherError: Error, Sendable, Equatable {
    /// It is under a key that this process does not hold: `MFA_ENCRYPTION_KEY_PREVIOUS` may be missing.
    case unknownKey(String)
    /// It was changed, or belongs to somebody else.
    case damaged
}
