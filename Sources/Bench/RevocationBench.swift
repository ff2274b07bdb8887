import AsyncHTTPClient
import ConnectionKit
import Foundation
package import LocalStack
import NIOCore
import NIOHTTP1

/// How long after a logout was answered some verifier still takes the token: the gateway, and the services themselves,
/// each of which hears of it in its own way.
package struct RevocationBench: Sendable {
    /// "Everywhere within 50 ms at p99."
    private static let goal_ms = 50.0
    private static let logouts = 200
    /// Where the wait for a refusal is given up; then something is broken, not slow.
    private static let patience = Duration.seconds(5)

    private let target: BenchTarget
    private let verifiers: [(name: String, url: String)]

    package init(layout: StackLayout, target: BenchTarget) {
        self.target = target
        verifiers = [
            ("gateway", "\(layout.url(of: .gateway))/identity/api/v1/auth/me"),
            ("identity", "\(layout.url(of: .identity))/api/v1/auth/me"),
            ("session", "\(layout.url(of: .session))/api/v1/sessions"),
            ("audit", "\(layout.url(of: .audit))/api/v1/auth/me/audit-logs"),
        ]
    }

    /// Signs in and out again and again, asking every verifier at once until it refuses.
    package func run() async throws -> [BenchResult] {
        let addresses = try await target.register(4)
        var everywhere: [Double] = []
        for number in 0..<Self.logouts {
            let token = try await target.accessToken(of: addresses[number % addresses.count])
            for verifier in verifiers {
                guard try await Self.status(verifier.url, token) == 200 else {
                    throw BenchFailure(description: "\(verifier.name) does not take a token that is good")
                }
            }
            try await target.logOut(token)
            let answered = ContinuousClock.now
            let slowest = try await withThrowingTaskGroup(of: Double.self) { group in
                for verifier in verifiers {
                    group.addTask { try await Self.milliseconds(since: answered, until: verifier, refuses: token) }
                }
                return try await group.reduce(0, max)
            }
            everywhere.append(slowest)
        }
        everywhere.sort()
        let p99 = everywhere[everywhere.count * 99 / 100]
        return [
            BenchResult(
                name: "A signed-out token is refused everywhere, p99 of \(everywhere.count)", value: p99, unit: "ms",
                goal: "≤ \(Int(Self.goal_ms)) ms", passes: p99 <= Self.goal_ms),
            BenchResult(
                name: "A signed-out token is refused everywhere, median", value: everywhere[everywhere.count / 2],
                unit: "ms"),
        ]
    }

    private static func milliseconds(
        since start: ContinuousClock.Instant, until verifier: (name: String, url: String), refuses token: String
    ) async throws -> Double {
        let deadline = Deadline.after(patience)
        while !deadline.hasPassed {
            if try await status(verifier.url, token) == 401 { return (ContinuousClock.now - start) / .milliseconds(1) }
            try await Task.sleep(for: .milliseconds(1))
        }
        throw BenchFailure(description: "\(verifier.name) takes a token \(patience) after it was signed out")
    }

    private static func status(_ url: String, _ token: String) async throws -> UInt {
        var request = HTTPClientRequest(url: url)
        request.headers.add(name: "authorization", value: "Bearer \(token)")
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(5))
        _ = try await response.body.collect(upTo: 1 << 20)
        return response.status.code
    }
}
