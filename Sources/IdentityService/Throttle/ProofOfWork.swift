import Crypto
package import Foundation
package import MicroMiddleware
import Synchronization

/// A price on an attempt, paid in SHA-256: find a `nonce` such that the hash of `challenge:nonce` begins with so many zero
/// bits. Nothing is kept for a challenge until it is used.
package final class ProofOfWork: Sendable {
    /// How long a challenge may be solved.
    package static let lifetime = Duration.seconds(120)

    package struct Challenge: Sendable, Encodable {
        package let challenge: String
        /// Leading zero bits.
        package let difficulty: Int
        package let algorithm = "sha-256"
        package let expiresIn = Int(ProofOfWork.lifetime.components.seconds)

        enum CodingKeys: String, CodingKey {
            case challenge, difficulty, algorithm
            case expiresIn = "expires_in"
        }
    }

    /// A challenge and what solves it, as a client sends them.
    package struct Proof: Sendable, Decodable {
        package let challenge: String
        package let nonce: String

        package init(challenge: String, nonce: String) {
            self.challenge = challenge
            self.nonce = nonce
        }

        /// What it may be used once by.
        var id: String { String(challenge.suffix(43)) }
    }

    private let key: SymmetricKey
    private let difficulty: Int
    private let used = Mutex<[String: Date]>([:])
    private let now: @Sendable () -> Date

    package init(pepper: Secret<String>, difficulty: Int, now: @escaping @Sendable () -> Date = { Date() }) {
        key = HKDF<SHA256>.deriveKey(
            inputKeyMaterial: SymmetricKey(data: Data(pepper.reveal().utf8)), info: Data("authms proof of work".utf8),
            outputByteCount: 32)
        self.difficulty = difficulty
        self.now = now
    }

    /// `{expiry in seconds}.{difficulty}.{random}.{HMAC}`
    package func challenge() -> Challenge {
        let random = Base64URL.encode(SymmetricKey(size: .bits128).withUnsafeBytes { Array($0) })
        let expiry = Int64(now().timeIntervalSince1970) + Self.lifetime.components.seconds
        let body = "\(expiry).\(difficulty).\(random)"
        return Challenge(challenge: "\(body).\(mac(body))", difficulty: difficulty)
    }

    /// Whether the challenge is ours, has not expired, and is solved.
    package func isValid(_ proof: Proof) -> Bool {
        guard proof.challenge.utf8.count <= 128, proof.nonce.utf8.count <= 64 else { return false }
        let parts = proof.challenge.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4, let expiry = Int64(parts[0]), let bits = Int(parts[1]) else { return false }
        guard Secret(mac(parts[0..<3].joined(separator: "."))).matches(String(parts[3])) else { return false }
        guard Double(expiry) > now().timeIntervalSince1970 else { return false }
        return Self.leadingZeroBits(of: "\(proof.challenge):\(proof.nonce)") >= bits
    }

    /// Whether this process has not seen it yet; the other ones are asked through Redis.
    package func isFirstUseHere(of proof: Proof) -> Bool {
        let now = now()
        return used.withLock { used in
            if used.count >= 10_000 { used = used.filter { $0.value > now } }
            guard used[proof.id] == nil, used.count < 100_000 else { return false }
            used[proof.id] = now + Self.lifetime.seconds
            return true
        }
    }

    package static func leadingZeroBits(of text: String) -> Int {
        var count = 0
        for byte in SHA256.hash(data: Data(text.utf8)) {
            count += byte.leadingZeroBitCount
            if byte != 0 { break }
        }
        return count
    }

    private func mac(_ body: String) -> String {
        Base64URL.encode(Array(HMAC<SHA256>.authenticationCode(for: Data(body.utf8), using: key)))
    }
}
