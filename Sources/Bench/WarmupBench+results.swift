import Foundation
import LocalStack
import MicroMiddleware
import Recovery

extension WarmupBench.Run {
    /// The p95 of a settled time before the loss, in milliseconds.
    func steady(_ service: ServiceRole) -> Double {
        let looks = (looks[service] ?? []).filter { $0.x > lostAt - 10 && $0.x <= lostAt }.compactMap(\.sample.p95_ms)
        return looks.isEmpty ? 0 : looks.reduce(0, +) / Double(looks.count)
    }

    /// The highest p95 of a window since the services were back.
    func highest(_ service: ServiceRole) -> Double {
        (looks[service] ?? []).filter { $0.x > readyAt }.compactMap(\.sample.p95_ms).max() ?? 0
    }

    /// How long after a service is ready again the gateway may not have noticed, in seconds.
    private static let noticed = 2.0

    /// What was answered since the services were back and the gateway knew, apart from what worked: by kind.
    var errors: [String: Int] {
        let bad = samples.filter { $0.at > readyAt + Self.noticed && $0.outcome != .works }
        return Dictionary(grouping: bad, by: \.detail).mapValues(\.count)
    }

    /// What did not work in the last ten seconds before the loss: what the load alone is too much for.
    var errorsBefore: [String: Int] {
        let bad = samples.filter { $0.at > lostAt - 10 && $0.at <= lostAt && $0.outcome != .works }
        return Dictionary(grouping: bad, by: \.detail).mapValues(\.count)
    }

    /// The others than 503002.
    var strangeErrors: Int {
        errors.filter { !$0.key.hasPrefix("503 warming_up") }.values.reduce(0, +)
    }

    /// Seconds from the loss until nine of ten reads were answered by the cache again.
    func recovery(_ service: ServiceRole) -> Double? {
        (looks[service] ?? []).first { $0.x > readyAt && ($0.sample.hitRate ?? 0) >= 0.9 }.map { $0.x - lostAt }
    }
}

extension WarmupBench {
    static func results(_ with: Run, _ without: Run) -> [BenchResult] {
        var results: [BenchResult] = []
        for service in services {
            for run in [with, without] {
                results.append(
                    databaseResult(
                        service.rawValue, run.name, steady_ms: run.steady(service), highest_ms: run.highest(service),
                        isHeld: run.name == with.name))
            }
            if let seconds = with.recovery(service) {
                results.append(
                    BenchResult(
                        name: "\(service.rawValue): from the loss until 90 % of reads are cached, with the ramp",
                        value: seconds, unit: "s"))
            }
        }
        for run in [with, without] {
            // Without the ramp it is shown what happens; nothing is promised.
            let isHeld = run.name == with.name
            let refused = run.errors.filter { $0.key.hasPrefix("503 warming_up") }.values.reduce(0, +)
            results.append(
                BenchResult(name: "Answered 503002, \(run.name)", value: Double(refused), unit: "requests"))
            results.append(
                BenchResult(
                    name: "Other errors once the services were back, \(run.name)", value: Double(run.strangeErrors),
                    unit: "requests", goal: isHeld ? "none" : nil, passes: !isHeld || run.strangeErrors == 0))
            let before = run.errorsBefore.values.reduce(0, +)
            results.append(
                BenchResult(
                    name: "Errors in the ten seconds before the loss, \(run.name)", value: Double(before),
                    unit: "requests"))
            let broken = run.acceptedTokens + run.lostSessions
            results.append(
                BenchResult(
                    name: "Signed-out tokens taken and sessions lost, \(run.name)", value: Double(broken),
                    unit: "", goal: "none", passes: broken == 0))
        }
        return results
    }

    /// How much slower the database's statements were after the loss than in the steady state before it. The ratio is the
    /// plain one; where it is not what decides, the name says so.
    ///
    /// - Parameter isHeld: whether there is a goal.
    package static func databaseResult(
        _ service: String, _ run: String, steady_ms: Double, highest_ms: Double, isHeld: Bool
    ) -> BenchResult {
        let steady = "\((steady_ms * 100).rounded() / 100) ms"
        let isBelow = steady_ms < floor_ms
        let name = "\(service) database, highest p95 after the loss, \(run); steady state \(steady)"
        let limit = goal * max(steady_ms, floor_ms)
        return BenchResult(
            name: isBelow && isHeld ? name + ", which counts as \(Int(floor_ms)) ms" : name, value: highest_ms,
            unit: "ms",
            ratio: steady_ms > 0 ? highest_ms / steady_ms : nil,
            goal: isHeld ? "≤ \(goal) × \(isBelow ? "\(Int(floor_ms)) ms" : "steady state")" : nil,
            passes: !isHeld || steady_ms > 0 && highest_ms <= limit)
    }

    static func page(_ runs: [Run]) -> PlotPage {
        let colours = ["#0969da", "#cf222e"]
        func lines(_ service: ServiceRole, _ value: (WarmupSample) -> Double?) -> [Plot.Line] {
            runs.enumerated().map { number, run in
                let looks = (run.looks[service] ?? []).filter { $0.x > run.lostAt - 15 }
                return Plot.Line(
                    run.name, colour: colours[number % 2], points: looks.map { ($0.x - run.lostAt, value($0.sample)) })
            }
        }
        let groups = services.map { service in
            PlotPage.Group(
                service.rawValue, text: "From 15 seconds before the loss; twice the steady state is dashed.",
                plots: [
                    Plot("Admitted", unit: "%", lines: lines(service) { Double($0.share) }, top: 100),
                    Plot("Hit rate", unit: "%", lines: lines(service) { $0.hitRate.map { $0 * 100 } }, top: 100),
                    Plot(
                        "Database p95", unit: "ms", lines: lines(service, \.p95_ms),
                        limit: (runs.first?.steady(service)).map { max($0, floor_ms) * goal }),
                    Plot("503002", unit: "", lines: lines(service) { Double($0.refused) }),
                ])
        }
        let text = PlotPage.Group(
            "The cache is emptied and the services restart, under \(factor) times the usual load",
            text: runs.map { run in
                "\(run.name): \(list(run.errors)); in the ten seconds before the loss: \(list(run.errorsBefore))"
            }.joined(separator: ". "), plots: [])
        return PlotPage("authms: warm-up", groups: [text] + groups)
    }

    private static func list(_ errors: [String: Int]) -> String {
        errors.isEmpty
            ? "none" : errors.sorted { $0.key < $1.key }.map { "\($0.value)× \($0.key)" }.joined(separator: ", ")
    }
}
