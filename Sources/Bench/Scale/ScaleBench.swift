import Foundation
import LocalStack

/// What users and administrators wait for with 1,000 users and with 100,000, of three sessions each, on a suite of its own.
///
/// The same suite grows, so the sides cannot alternate: each figure is the p99 of all requests of three passes through all
/// kinds, so that a moment in which something else ran touches every kind, and none alone.
package struct ScaleBench: Sendable {
    /// The most that a p99 may be over the one with few users.
    package static let goal = 1.5
    private static let few = 1_000
    private static let many = 100_000
    private static let passes = 3

    private let executable: String
    private let repository: String
    private let narrate: @Sendable (String) -> Void

    /// - Parameter narrate: is told what is measured next.
    package init(executable: String, repository: String, narrate: @escaping @Sendable (String) -> Void) {
        self.executable = executable
        self.repository = repository
        self.narrate = narrate
    }

    package func run() async throws -> [BenchResult] {
        let suite = try await BenchSuite.start(executable: executable, repository: repository)
        do {
            let results = try await measure(suite)
            await suite.stop()
            return results
        } catch {
            await suite.stop()
            throw error
        }
    }

    private func measure(_ suite: BenchSuite) async throws -> [BenchResult] {
        let population = try await ScalePopulation.begin(suite.layout, executable: executable)
        do {
            let results = try await measure(population, try ScaleLoad(layout: suite.layout))
            await population.close()
            return results
        } catch {
            await population.close()
            throw error
        }
    }

    private func measure(_ population: ScalePopulation, _ load: ScaleLoad) async throws -> [BenchResult] {
        narrate("With \(Self.few) users")
        try await population.grow(from: 0, to: Self.few)
        try await load.warmUp(users: Self.few)
        let before = try await figures(load, users: Self.few)
        narrate("Growing to \(Self.many) users")
        try await population.grow(from: Self.few, to: Self.many)
        try await load.warmUp(users: Self.many)
        narrate("With \(Self.many) users")
        let after = try await figures(load, users: Self.many)
        return ScaleRequest.allCases.flatMap { Self.results($0, before[$0] ?? [], after[$0] ?? []) }
    }

    /// How long each request of a kind took, in milliseconds.
    private func figures(_ load: ScaleLoad, users: Int) async throws -> [ScaleRequest: [Double]] {
        var figures: [ScaleRequest: [Double]] = [:]
        for pass in 0..<Self.passes {
            for kind in ScaleRequest.allCases {
                figures[kind, default: []] += try await load.send(kind, pass: pass, users: users)
            }
        }
        return figures
    }

    private static func results(_ kind: ScaleRequest, _ before: [Double], _ after: [Double]) -> [BenchResult] {
        let (few, many) = (p99(before), p99(after))
        let ratio = many / max(few, 0.001)
        return [
            BenchResult(
                name: "\(kind.name), 100,000 users: p99 of \(after.count)", value: many, unit: "ms", ratio: ratio,
                goal: "≤ \(goal) × with 1,000", passes: ratio <= goal),
            BenchResult(name: "\(kind.name), 1,000 users: p99 of \(before.count)", value: few, unit: "ms"),
        ]
    }

    private static func p99(_ values: [Double]) -> Double {
        let sorted = values.sorted()
        return sorted.isEmpty ? 0 : sorted[sorted.count * 99 / 100]
    }
}
