import ConnectionKit
import Foundation
import Passwords

/// How many passwords a second the hashing pool does with all cores, and libsodium bare: what logins are held against.
package struct PasswordBench {
    /// The rate of bare Argon2id calls on `threads` threads at once, without queue, pepper or tasks.
    package static func bareRate(threads: Int, for duration: Duration) async throws -> Double {
        try await rate(lanes: threads, for: duration) { deadline in
            var count = 0
            while ContinuousClock.now < deadline {
                try BareArgon2id.hashOnce()
                count += 1
            }
            return count
        }
    }

    /// The rate of the pool, with twice as many callers as threads so that no thread waits for one.
    package static func poolRate(threads: Int, for duration: Duration) async throws -> Double {
        let pepper = try Pepper(id: "bench", bytes: [UInt8](repeating: 1, count: 32))
        let hasher = try PasswordHasher(peppers: PepperRing(current: pepper), threads: threads)
        let stored = try await hasher.hash("correct horse battery staple", deadline: .after(.seconds(5)))
        return try await rate(lanes: threads * 2, for: duration) { deadline in
            var count = 0
            while ContinuousClock.now < deadline {
                _ = try await hasher.verify(
                    "correct horse battery staple", against: stored, deadline: .after(.seconds(5)))
                count += 1
            }
            return count
        }
    }

    /// Both, alternately, three times; the medians are compared.
    package static func run() async throws -> [BenchResult] {
        let cores = ProcessInfo.processInfo.activeProcessorCount
        var pool: [Double] = []
        var bare: [Double] = []
        for _ in 0..<3 {
            bare.append(try await bareRate(threads: cores, for: .seconds(2)))
            pool.append(try await poolRate(threads: cores, for: .seconds(2)))
        }
        let (value, reference) = (VerifyBench.median(pool), VerifyBench.median(bare))
        return [
            BenchResult(
                name: "Password verification on the pool, \(cores) threads", value: value, unit: "1/s",
                ratio: value / reference),
            BenchResult(name: "libsodium Argon2id bare, \(cores) threads", value: reference, unit: "1/s"),
        ]
    }

    private static func rate(
        lanes: Int, for duration: Duration, _ lane: @escaping @Sendable (ContinuousClock.Instant) async throws -> Int
    ) async throws -> Double {
        let start = ContinuousClock.now
        let deadline = start.advanced(by: duration)
        let count = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<lanes { group.addTask { try await lane(deadline) } }
            return try await group.reduce(0, +)
        }
        return Double(count) / ((ContinuousClock.now - start) / .seconds(1))
    }
}
