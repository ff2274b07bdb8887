import AsyncHTTPClient
import Contracts
import Foundation
package import LocalStack
import MicroMiddleware
import NIOCore
import NIOHTTP1

/// How long identity takes to say whether somebody may do something, of a role of the tenant's own, from its cache: asked
/// at its own port, without the gateway, beside the cheapest answer that it has.
package struct PermissionBench: Sendable {
    /// Inside the service, at the 99th percentile, once the cache is warm.
    private static let goal_ms = 1.0
    private static let goalShare = 99.0
    private static let rounds = 4
    private static let secondsEach = 4
    /// What is asked for is how long one answer takes, not how many there can be.
    private static let connections = 2
    private static let role = "bench-writer"
    private static let permission = "documents:write"

    private let service: String
    private let keysDirectory: String

    package init(layout: StackLayout) {
        service = layout.url(of: .identity)
        keysDirectory = layout.keysDirectory
    }

    package func run() async throws -> [BenchResult] {
        let ring = try KeyRing.load(directory: keysDirectory)
        let issuer = TokenIssuer(ring: ring, issuer: "https://authms.local", audience: "authms")
        func token(_ roles: [String]) throws -> String {
            try issuer.issue(
                subject: UUID(), tenantID: DefaultTenant.id, roles: roles, sessionID: UUID(), methods: ["pwd"]
            ).token
        }
        try await makeRole(try token(["owner"]))
        let token = try token(["member", Self.role])
        guard try await isAllowed(token) else {
            throw BenchFailure(description: "identity does not allow what the role grants")
        }
        return try await measure(token)
    }

    private func measure(_ token: String) async throws -> [BenchResult] {
        _ = try await asked(token, seconds: 1)
        let before = try await withinGoal()
        var (p50, p99, trivial) = (Samples(), Samples(), Samples())
        for _ in 0..<Self.rounds {
            trivial.append(
                try await wrk(Wrk(url: service + "/livez", connections: Self.connections, seconds: Self.secondsEach))
                    .p99_ms)
            let report = try await asked(token, seconds: Self.secondsEach)
            p50.append(report.p50_ms)
            p99.append(report.p99_ms)
        }
        let after = try await withinGoal()
        let all = Double(after.all - before.all)
        let share = all > 0 ? Double(after.within - before.within) / all * 100 : 0
        return [
            BenchResult(
                name: "check-permission answered within \(Int(Self.goal_ms)) ms, by identity's own clock", value: share,
                unit: "%", goal: "≥ \(Int(Self.goalShare)) %", passes: share >= Self.goalShare),
            // What the client sees has the client in it, which wants the same cores: without a goal, beside what costs nothing.
            BenchResult(
                name: "check-permission as its client sees it, p99 at \(Self.connections) connections; ratio to /livez",
                value: p99.median, unit: "ms", ratio: p99.median / max(trivial.median, 0.001)),
            BenchResult(name: "check-permission as its client sees it, median", value: p50.median, unit: "ms"),
            BenchResult(name: "/livez of the same service, p99", value: trivial.median, unit: "ms"),
        ]
    }

    private func asked(_ token: String, seconds: Int) async throws -> Wrk.Report {
        try await wrk(
            Wrk(
                url: service + Self.path, connections: Self.connections, seconds: seconds, script: Self.script,
                arguments: [token, Self.permission]))
    }

    private func wrk(_ load: Wrk) async throws -> Wrk.Report {
        let report = try await load.run()
        guard report.refused == 0, report.failed == 0, report.requests > 0 else {
            throw BenchFailure(
                description:
                    "\(load.url): \(report.refused) of \(report.requests) requests refused, \(report.failed) failed")
        }
        return report
    }

    // MARK: - Before and after

    private static let path = "/api/v1/auth/check-permission"

    private func makeRole(_ token: String) async throws {
        struct Role: Encodable {
            let name: String
            let permissions: [String]
        }
        let role = try JSONEncoder().encode(Role(name: Self.role, permissions: [Self.permission]))
        let answer = try await send("/api/v1/admin/roles", role, token)
        // It is there where the section is measured a second time on the same suite.
        guard answer.status == 201 || answer.status == 409 else {
            throw BenchFailure(description: "making a role was answered \(answer.status): \(answer.body)")
        }
    }

    private func isAllowed(_ token: String) async throws -> Bool {
        let answer = try await send(Self.path, try JSONEncoder().encode(["permission": Self.permission]), token)
        return answer.status == 200 && answer.body.contains(#""allowed":true"#)
    }

    /// How many such requests the service has answered, and how many of them in time.
    private func withinGoal() async throws -> (within: Int, all: Int) {
        let text = try await send("/metrics", nil, nil).body
        guard
            let counts = RequestHistogram(metrics: text, method: "POST", routeEnd: "auth/check-permission", status: 200)
        else { throw BenchFailure(description: "identity's metrics say nothing of check-permission") }
        return (counts.within(Self.goal_ms / 1_000) ?? 0, counts.count)
    }

    private func send(_ path: String, _ body: Data?, _ token: String?) async throws -> (status: Int, body: String) {
        var request = HTTPClientRequest(url: service + path)
        if let token { request.headers.add(name: "authorization", value: "Bearer \(token)") }
        if let body {
            request.method = .POST
            request.headers.add(name: "content-type", value: "application/json")
            request.body = .bytes(ByteBuffer(bytes: body))
        }
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(10))
        let answer = try await response.body.collect(upTo: 4 << 20)
        return (Int(response.status.code), String(buffer: answer))
    }

    private static let script = #"""
        local question

        function init(args)
            local headers = { ["Content-Type"] = "application/json", ["Authorization"] = "Bearer " .. args[1] }
            question = wrk.format("POST", nil, headers, '{"permission":"' .. args[2] .. '"}')
        end

        function request()
            return question
        end
        """#
}
