import ConnectionKit
import Foundation
package import LocalStack

/// What an idle service costs in memory, and how soon it is ready once what it needs is up.
package struct FootprintBench: Sendable {
    private static let memoryGoal_MiB = 45.0
    private static let readyGoal_s = 0.5

    private let layout: StackLayout

    package init(layout: StackLayout) {
        self.layout = layout
    }

    /// Restarts each service of a running suite, waits until it is ready, and lets it idle.
    package func run() async throws -> [BenchResult] {
        let control = ControlClient(layout: layout)
        var results: [BenchResult] = []
        for role in ServiceRole.allCases {
            var times = Samples()
            for _ in 0..<3 {
                try await control.perform(.stop, on: role.rawValue)
                try await waitUntilGone(role, control)
                times.append(try await secondsToReady(role, control))
            }
            results.append(
                BenchResult(
                    name: "\(role.rawValue): start to ready", value: times.median, unit: "s",
                    goal: "< \(Self.readyGoal_s) s", passes: times.median < Self.readyGoal_s))
        }
        try await Task.sleep(for: .seconds(5))
        let status = try await control.status()
        for role in ServiceRole.allCases {
            guard let process = status[role.rawValue]?.processIdentifier else { continue }
            let memory = try residentMemory_MiB(process)
            results.append(
                BenchResult(
                    name: "\(role.rawValue): resident memory, idle", value: memory, unit: "MiB",
                    goal: "< \(Int(Self.memoryGoal_MiB)) MiB", passes: memory < Self.memoryGoal_MiB))
        }
        return results
    }

    /// A service that is told to stop drains first: that is no part of its start.
    private func waitUntilGone(_ role: ServiceRole, _ control: ControlClient) async throws {
        let deadline = Deadline.after(.seconds(30))
        while try await control.status()[role.rawValue]?.processIdentifier != nil {
            guard !deadline.hasPassed else {
                throw BenchFailure(description: "\(role.rawValue) did not stop within 30 s")
            }
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    private func secondsToReady(_ role: ServiceRole, _ control: ControlClient) async throws -> Double {
        // A client that pauses between connections would add its pauses to the figure.
        let probe = Probe()
        let began = ContinuousClock.now
        let deadline = Deadline.after(.seconds(20))
        async let started = control.perform(.start, on: role.rawValue)
        while !deadline.hasPassed {
            if await probe.answers(.http(path: "/readyz"), port: layout.port(of: role), deadline: .after(.seconds(1))) {
                let took = began.duration(to: .now)
                _ = try await started
                return took / .seconds(1)
            }
            try await Task.sleep(for: .milliseconds(5))
        }
        throw BenchFailure(description: "\(role.rawValue) was not ready within 20 s")
    }

    private func residentMemory_MiB(_ process: Int32) throws -> Double {
        let text = try String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)
        guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix("VmRSS:") }),
            let kibibytes = line.split(whereSeparator: { !$0.isNumber }).first.flatMap({ Double($0) })
        else { throw BenchFailure(description: "/proc/\(process)/status tells no VmRSS") }
        return kibibytes / 1_024
    }
}
