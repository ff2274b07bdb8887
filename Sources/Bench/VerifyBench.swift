import Foundation
import MicroMiddleware
import Subprocess
import SystemPackage

/// Verification of an access token without the cache, on one thread, against `openssl speed ecdsap256` verifying bare
/// signatures.
package struct VerifyBench {
    /// The least ratio of ours to OpenSSL's.
    package static let goal = 0.8

    /// Takes both figures alternately, three times, and compares the medians: these machines are noisy.
    package static func run() async throws -> [BenchResult] {
        let ring = try KeyRing.ephemeral()
        let token = try TokenIssuer(ring: ring, issuer: "https://authms.local", audience: "authms").issue(
            subject: UUID(), tenantID: UUID(), roles: ["member"], sessionID: UUID(), methods: ["pwd"]
        ).token
        let verifier = TokenVerifier(
            ring: ring, issuer: "https://authms.local", audience: "authms", revocations: RevocationSet())
        var ours: [Double] = []
        var theirs: [Double] = []
        for _ in 0..<3 {
            ours.append(try rate(for: .seconds(2)) { _ = try verifier.verifyUncached(token) })
            theirs.append(try await openSSLVerifications())
        }
        let cached = try rate(for: .seconds(1)) { _ = try verifier.verify(token) }
        let (value, reference) = (median(ours), median(theirs))
        let ratio = value / reference
        return [
            BenchResult(
                name: "JWT verification, uncached, one thread", value: value, unit: "1/s", ratio: ratio,
                goal: "≥ \(goal) × openssl speed ecdsap256", passes: ratio >= goal),
            BenchResult(name: "openssl speed ecdsap256, verify", value: reference, unit: "1/s"),
            BenchResult(name: "JWT verification, cached, one thread", value: cached, unit: "1/s"),
        ]
    }

    /// How often `body` runs in a second of this thread's processor time: `openssl speed` counts processor time too, so
    /// that neither side pays for what else runs on the machine.
    static func rate(for duration: Duration, _ body: () throws -> Void) rethrows -> Double {
        for _ in 0..<500 { try body() }
        let start = threadTime()
        var count = 0
        while threadTime() - start < duration {
            for _ in 0..<100 { try body() }
            count += 100
        }
        return Double(count) / ((threadTime() - start) / .seconds(1))
    }

    /// The processor time that the calling thread has used.
    private static func threadTime() -> Duration {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }

    static func median(_ values: [Double]) -> Double {
        values.sorted()[values.count / 2]
    }

    /// The last figure of `openssl speed`: verifications a second.
    static func openSSLVerifications() async throws -> Double {
        let result = try await Subprocess.run(
            .path(FilePath(try BenchPrograms.openssl.path)), arguments: ["speed", "-seconds", "2", "ecdsap256"],
            output: .string(limit: 65_536),
            error: .discarded)
        let line = result.standardOutput.split(separator: "\n").last { $0.contains("ecdsa") }
        guard let figure = line?.split(separator: " ").last.flatMap({ Double($0) }), figure > 0 else {
            throw BenchFailure(description: "openssl speed ecdsap256 printed no figure for verification")
        }
        return figure
    }
}

/// Why a bench could not measure.
package struct BenchFailure: Error, CustomStringConvertible {
    package let description: String

    package init(description: String) {
        self.description = description
    }
}
