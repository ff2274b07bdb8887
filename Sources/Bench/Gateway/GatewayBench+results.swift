internal import Crypto
internal import Foundation
internal import MicroMiddleware

extension GatewayBench {
    /// The least ratio of the gateway's throughput to HAProxy's.
    package static let throughputGoal = 1.2
    /// The greatest ratio of the gateway's 99th percentile to HAProxy's.
    package static let p99Goal = 1.0

    /// Measures with the verifier that the gateway uses, and a token that it issued.
    ///
    /// - Throws: `BenchFailure` when wrk or HAProxy is missing, or an answer was not a success.
    package func run() async throws -> [BenchResult] {
        let ring = try KeyRing.ephemeral()
        let (issuer, audience) = ("https://authms.local", "authms")
        let token = try TokenIssuer(ring: ring, issuer: issuer, audience: audience).issue(
            subject: UUID(), tenantID: UUID(), roles: ["member"], sessionID: UUID(), methods: ["pwd"]
        ).token
        guard let key = ring.keys.compactMap(\.publicKey).first else {
            throw BenchFailure(description: "the key ring holds no public key")
        }
        let verifier = TokenVerifier(
            ring: ring, issuer: issuer, audience: audience, revocations: RevocationSet())
        return try await measure(verifier: verifier, token: token, publicKeyPEM: key.pemRepresentation).results
    }
}

extension GatewayBench.Outcome {
    /// As lines of the report.
    package var results: [BenchResult] {
        [
            BenchResult(
                name: "authenticated requests through the gateway", value: gatewayRequestsPerSecond, unit: "1/s",
                ratio: throughputRatio, goal: "≥ \(GatewayBench.throughputGoal) × HAProxy with jwt_verify",
                passes: throughputRatio >= GatewayBench.throughputGoal),
            BenchResult(
                name: "99th percentile through the gateway", value: gatewayP99Milliseconds, unit: "ms",
                ratio: p99Ratio, goal: "≤ HAProxy's", passes: p99Ratio <= GatewayBench.p99Goal),
            BenchResult(name: "HAProxy with jwt_verify", value: haproxyRequestsPerSecond, unit: "1/s"),
            BenchResult(name: "99th percentile through HAProxy", value: haproxyP99Milliseconds, unit: "ms"),
        ]
    }
}
