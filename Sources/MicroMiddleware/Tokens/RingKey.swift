package import Crypto
package import Foundation

/// One key of the ring: its name, its state, and the material that this process holds of it.
package struct RingKey: Sendable {
    /// The material. A verifier that holds public keys only has `es256Public`.
    package enum Material: Sendable {
        case es256(P256.Signing.PrivateKey)
        case es256Public(P256.Signing.PublicKey)
        case hs256(SymmetricKey)
    }

    /// The `kid`: 1 to 64 characters of `A-Z a-z 0-9 . _ -`.
    package let kid: String
    package let use: KeyUse
    package let state: KeyState
    package let createdAt: Date
    /// Until when a retired key still verifies; nil for the other states.
    package let verifiesUntil: Date?
    package let material: Material

    package init(
        kid: String, use: KeyUse, state: KeyState, createdAt: Date, verifiesUntil: Date? = nil, material: Material
    ) {
        self.kid = kid
        self.use = use
        self.state = state
        self.createdAt = createdAt
        self.verifiesUntil = verifiesUntil
        self.material = material
    }

    package var algorithm: TokenAlgorithm {
        switch material {
        case .es256, .es256Public: .es256
        case .hs256: .hs256
        }
    }

    /// The public half, if the algorithm has one.
    package var publicKey: P256.Signing.PublicKey? {
        switch material {
        case .es256(let key): key.publicKey
        case .es256Public(let key): key
        case .hs256: nil
        }
    }

    /// Whether this process can sign with it and its state lets it.
    package var canSign: Bool {
        if case .es256Public = material { return false }
        return state == .active
    }

    /// Whether a token under this key may be accepted at `now`, and whether the JWKS shows it.
    package func verifies(at now: Date) -> Bool {
        state != .retired || verifiesUntil.map { now < $0 } == true
    }

    /// Whether `kid` has a form that is safe in headers, file names and logs.
    package static func isWellFormed(kid: String) -> Bool {
        (1...64).contains(kid.utf8.count)
            && kid.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
                    true
                default: false
                }
            }
    }
}

extension RingKey: CustomStringConvertible, CustomReflectable {
    package var description: String { "\(algorithm.rawValue) key \(kid) (\(use.rawValue), \(state.rawValue))" }
    package var customMirror: Mirror { Mirror(self, children: ["kid": kid, "state": state]) }
}

extension RingKey {
    /// The signature over `input`: 64 bytes `r ‖ s` for ES256 (RFC 7518 §3.4), 32 bytes for HS256.
    func sign(_ input: some DataProtocol) throws -> [UInt8] {
        switch material {
        case .es256(let key): return Array(try key.signature(for: input).rawRepresentation)
        case .hs256(let key): return Array(HMAC<SHA256>.authenticationCode(for: input, using: key))
        case .es256Public: throw KeyRingError.noActiveKey(use)
        }
    }

    /// Whether `signature` is this key's over `input`. Constant time for HS256; a signature of another length is refused.
    func isValid(signature: UnsafeRawBufferPointer, over input: UnsafeRawBufferPointer) -> Bool {
        switch material {
        case .es256(let key): Self.isValid(signature: signature, over: input, under: key.publicKey)
        case .es256Public(let key): Self.isValid(signature: signature, over: input, under: key)
        case .hs256(let key): HMAC<SHA256>.isValidAuthenticationCode(signature, authenticating: input, using: key)
        }
    }

    private static func isValid(
        signature: UnsafeRawBufferPointer, over input: UnsafeRawBufferPointer, under key: P256.Signing.PublicKey
    ) -> Bool {
        guard signature.count == 64,
            let parsed = try? P256.Signing.ECDSASignature(rawRepresentation: signature)
        else { return false }
        var hash = SHA256()
        hash.update(bufferPointer: input)
        return key.isValidSignature(parsed, for: hash.finalize())
    }
}
