import Crypto
import Foundation

extension KeyRing {
    /// A ring of one ES256 access key and one HS256 refresh key that live in this process only: for tests and benches.
    package static func ephemeral() throws(KeyRingError) -> KeyRing {
        let now = Date()
        return try KeyRing(keys: [
            RingKey(
                kid: "es-ephemeral", use: .access, state: .active, createdAt: now,
                material: .es256(P256.Signing.PrivateKey())),
            RingKey(
                kid: "rt-ephemeral", use: .refresh, state: .active, createdAt: now,
                material: .hs256(SymmetricKey(size: .bits256))),
        ])
    }
}
