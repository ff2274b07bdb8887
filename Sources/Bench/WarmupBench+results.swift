import Foundation
import LocalStack
import MicroMiddleware
import Recovery

extension WarmupBench.Run {
    /// The p95 of the last window before the loss, in milliseconds.
    func steady(_ service: ServiceRole) -> Double {
        databases[service]?.p95_ms(from: lostAt - WarmupBench.window, to: lostAt) ?? 0
    }

    /// The highest p95 of a window since the services were back; the windows begin a second apart.
    func highest(_ service: ServiceRole) -> Double {
        let last = WarmupBench.after / .seconds(1) - WarmupBench.window
        return stride(from: readyAt, through: readyAt + last, by: 1)
            .compactMap { databases[service]?.p95_ms(from: $0, to: $0 + WarmupBench.window) }.max() ?? 0
    }

    /// The p95 of the window that ends with each second, counted from the loss; after it, of no more than has passed since.
    func databaseTimes(_ service: ServiceRole) -> [(x: Double, y: Double?)] {
        stride(from: -15.0, through: readyAt - lostAt + WarmupBench.after / .seconds(1), by: 1).map { second in
            let end = lostAt + second
            let start = end > readyAt ? max(readyAt, end - WarmupBench.window) : end - WarmupBench.window
            return (second, end > lostAt && end <= readyAt ? nil : databases[service]?.p95_ms(from: start, to: end))
        }
    }

    /// How long after a service is ready again the gateway may not have noticed, in seconds.
    static let noticed = 2.0

    /// What was answered since the services were back and the gateway knew, apart from what worked: by kind.
    var errors: [String: Int] {
        Self.kinds(samples.filter { $0.at > readyAt + Self.noticed && $0.outcome != .works })
    }

    /// What did not work in the last ten seconds before the loss: what the load alone is too much for.
    var errorsBefore: [String: Int] {
        Self.kinds(samples.filter { $0.at > lostAt - 10 && $0.at <= lostAt && $0.outcome != .works })
    }

    /// The others than 503002.
    var strangeErrors: Int {
        samples.count { $0.at > readyAt + Self.noticed && $0.isError && !$0.isWarmingUp }
    }

    /// What got an access token of five minutes and no refresh token, as from a suite that has lost a service.
    var degraded: Int {
        samples.count { $0.at > readyAt + Self.noticed && $0.outcome == .degraded }
    }

    private static func kinds(_ samples: [Sample]) -> [String: Int] {
        Dictionary(grouping: samples) { "\($0.capability.rawValue) \($0.detail)" }.mapValues(\.count)
    }

    /// How many requests of each second, counted from the loss, are as asked for.
    func perSecond(_ isCounted: (Sample) -> Bool) -> [(x: Double, y: Double?)] {
        let seconds = Dictionary(grouping: samples.filter(isCounted)) { ($0.at - lostAt).rounded(.down) }
        guard let last = samples.map(\.at).max() else { return [] }
        return stride(from: -15.0, to: last - lostAt, by: 1).map { ($0, Double(seconds[$0]?.count ?? 0)) }
    }

    /// Seconds from the loss until nine of ten reads were answered by the cache again.
    func recovery(_ service: ServiceRole) -> Double? {
        (looks[service] ?? []).first { $0.x > readyAt && ($0.sample.hitRate ?? 0) >= 0.9 }.map { $0.x - lostAt }
    }
}

extension WarmupBench {
    package func results(_ with: Run, _ without: Run) -> [BenchResult] {
        var results: [BenchResult] = []
        let less = load < Self.promisedLoad ? " (\(load) times the usual load; promised for \(Self.promisedLoad))" : ""
        for service in Self.services {
            for run in [with, without] {
                results.append(
                    Self.databaseResult(
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
            let refused = run.samples.count { $0.at > run.readyAt + Run.noticed && $0.isWarmingUp }
            results.append(
                BenchResult(name: "Answered 503002, \(run.name)", value: Double(refused), unit: "requests"))
            results.append(
                BenchResult(
                    name: "Other errors once the services were back, \(run.name)\(less)",
                    value: Double(run.strangeErrors),
                    unit: "requests", goal: isHeld ? "none" : nil, passes: !isHeld || run.strangeErrors == 0))
            results.append(
                BenchResult(
                    name: "Answered with a token of five minutes once the services were back, \(run.name)",
                    value: Double(run.degraded), unit: "requests"))
            let before = run.samples.count { $0.at > run.lostAt - 10 && $0.at <= run.lostAt && $0.isError }
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
        let name = "\(service) database, highest p95 of \(Int(window)) s after the loss, \(run); steady state \(steady)"
        let limit = goal * max(steady_ms, floor_ms)
        return BenchResult(
            name: isBelow && isHeld ? name + ", which counts as \(Int(floor_ms)) ms" : name, value: highest_ms,
            unit: "ms",
            ratio: steady_ms > 0 ? highest_ms / steady_ms : nil,
            goal: isHeld ? "≤ \(goal) × \(isBelow ? "\(Int(floor_ms)) ms" : "steady state")" : nil,
            passes: !isHeld || steady_ms > 0 && highest_ms <= limit)
    }

    func page(_ runs: [Run]) -> PlotPage {
        let colours = ["#0969da", "#cf222e"]
        func lines(_ service: ServiceRole, _ value: (WarmupSample) -> Double?) -> [Plot.Line] {
            runs.enumerated().map { number, run in
                let looks = (run.looks[service] ?? []).filter { $0.x > run.lostAt - 15 }
                return Plot.Line(
                    run.name, colour: colours[number % 2], points: looks.map { ($0.x - run.lostAt, value($0.sample)) })
            }
        }
        let groups = Self.services.map { service in
            PlotPage.Group(
                service.rawValue, text: "From 15 seconds before the loss; twice the steady state is dashed.",
                plots: [
                    Plot("Admitted", unit: "%", lines: lines(service) { Double($0.share) }, top: 100),
                    Plot("Hit rate", unit: "%", lines: lines(service) { $0.hitRate.map { $0 * 100 } }, top: 100),
                    Plot(
                        "Database p95", unit: "ms",
                        lines: zip(runs, colours).map { run, colour in
                            Plot.Line(run.name, colour: colour, points: run.databaseTimes(service))
                        },
                        limit: (runs.first?.steady(service)).map { max($0, Self.floor_ms) * Self.goal }),
                    Plot("503002", unit: "", lines: lines(service) { Double($0.refused) }),
                ])
        }
        let text = PlotPage.Group(
            "The cache is emptied and the services restart, under \(load) times the usual load",
            text: runs.map { run in
                "\(run.name): \(Self.list(run.errors)); in the ten seconds before the loss: \(Self.list(run.errorsBefore))"
            }.joined(separator: ". "),
            plots: [
                Plot(
                    "Other errors", unit: "",
                    lines: zip(runs, colours).map { run, colour in
                        Plot.Line(
                            run.name, colour: colour,
                            points: run.perSecond { $0.isError && !$0.isWarmingUp })
                    })
            ])
        return PlotPage("authms: warm-up", groups: [text] + groups)
    }

    private static func list(_ errors: [String: Int]) -> String {
        errors.isEmpty
            ? "none" : errors.sorted { $0.key < $1.key }.map { "\($0.value)× \($0.key)" }.joined(separator: ", ")
    }
}

extension Sample {
    fileprivate var isError: Bool { outcome != .works && outcome != .degraded }
    /// Whether it was turned away because the service warms up (503002).
    fileprivate var isWarmingUp: Bool { detail.hasPrefix("503 warming_up") }
}
