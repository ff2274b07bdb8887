package import Contracts
import Crypto
package import Foundation

/// Who is let in while a service warms up.
///
/// Each user has a place from 0 up to 100 %, by a stable hash, and is in when it lies below the admitted share: whoever is in
/// stays in, and a higher share only adds users. The places differ from ramp to ramp, so that nobody is always last. Being
/// admitted says nothing about being authorised: tokens and revocations are checked as ever.
package struct WarmupAdmission: Sendable {
    /// Percent admitted, 0 to 100.
    package let share: Int
    private let salt: String

    /// - Parameters:
    ///   - share: Percent admitted.
    ///   - started: When the ramp began; the same on all replicas.
    package init(share: Int, started: Date) {
        self.share = min(max(0, share), 100)
        salt = "\(Int64((started.timeIntervalSince1970 * 1_000).rounded()))/"
    }

    /// Whether a request is served, given whom it is for: a user's or session's identifier, or what they sign in with.
    package func admits(_ user: String, _ priority: RequestPriority) -> Bool {
        Self.place(of: salt + user) < threshold(priority)
    }

    /// 503002 unless ``admits(_:_:)``.
    ///
    /// - Parameters:
    ///   - jitter: From 0 to 1, drawn anew for each refusal, so that the refused do not return all at once.
    package func require(_ user: String, _ priority: RequestPriority, jitter: Double) throws(APIError) {
        guard admits(user, priority) else { throw Self.refusal(jitter: jitter) }
    }

    /// 503002, to come back in 5 to 15 seconds.
    package static func refusal(jitter: Double = Double.random(in: 0...1)) -> APIError {
        APIError(.warmingUp, retryAfter: .seconds(5 + Int((min(max(0, jitter), 1) * 10).rounded())))
    }

    /// How many of 10,000 places are admitted. Checking a token costs no database and is always served; staying in and getting
    /// out have twice the share, what can wait has half of it: never is a lower priority served where a higher one is not.
    private func threshold(_ priority: RequestPriority) -> Int {
        guard share < 100 else { return 10_000 }
        return switch priority {
        case .verify: 10_000
        case .refresh: min(10_000, share * 200)
        case .login: share * 100
        case .other: share * 50
        }
    }

    private static func place(of text: String) -> Int {
        let digest = SHA256.hash(data: Data(text.utf8))
        let number = digest.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        return Int(number % 10_000)
    }
}
