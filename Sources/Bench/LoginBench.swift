import Foundation

/// Logins through the gateway with everything running, beside the bare Argon2id rate of libsodium on the same cores.
package struct LoginBench: Sendable {
    /// The least ratio to the bare hash rate.
    package static let goal = 0.85

    private static let rounds = 4
    private static let secondsEach = 6

    private let target: BenchTarget
    package init(target: BenchTarget) {
        self.target = target
    }

    private static var cores: Int { ProcessInfo.processInfo.activeProcessorCount }

    package func run() async throws -> [BenchResult] {
        let addresses = try await target.register(32)
        let file = FileManager.default.temporaryDirectory.appending(path: "authms-bench-\(UUID().uuidString)")
        try Data(addresses.joined(separator: "\n").utf8).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        var ours = Samples()
        var bare = Samples()
        var latency = Samples()
        for _ in 0..<Self.rounds {
            bare.append(
                try await PasswordBench.bareRate(threads: Self.cores, for: .seconds(Self.secondsEach)))
            let report = try await Wrk(
                url: target.gateway + "/identity/api/v1/auth/login", connections: 8, seconds: Self.secondsEach,
                script: Self.script, arguments: [file.path, BenchTarget.password]
            ).run()
            guard report.refused == 0, report.failed == 0 else {
                throw BenchFailure(description: "\(report.refused) logins were refused and \(report.failed) failed")
            }
            ours.append(report.perSecond)
            latency.append(report.p99_ms)
        }
        let ratio = ours.median / bare.median
        return [
            BenchResult(
                name: "Login through the gateway, everything running", value: ours.median, unit: "1/s", ratio: ratio,
                goal: "≥ \(Self.goal) × libsodium Argon2id bare", passes: ratio >= Self.goal),
            BenchResult(name: "Login, p99 at 8 connections", value: latency.median, unit: "ms"),
            BenchResult(name: "libsodium Argon2id bare, \(Self.cores) threads", value: bare.median, unit: "1/s"),
        ]
    }

    private static let script = #"""
        local users, password, at = {}, "", 0
        local headers = { ["Content-Type"] = "application/json" }

        function init(args)
            for line in io.lines(args[1]) do users[#users + 1] = line end
            password = args[2]
        end

        function request()
            at = at % #users + 1
            return wrk.format("POST", nil, headers, '{"identity":"' .. users[at] .. '","password":"' .. password .. '"}')
        end
        """#
}
