import Foundation
import MicroMiddleware
import Recovery

/// A service's warm-up as an operator sees it: lines for the terminal, panels for a page.
struct WarmupView {
    let report: WarmupReport

    /// Where it is, and the last ten minutes as sparklines.
    var lines: [String] {
        let history = report.history
        return [
            headline,
            row("admitted", history.map { Double($0.share) }, top: 100) { "\(Plot.short($0)) %" },
            row("hit rate", history.map { $0.hitRate.map { $0 * 100 } }, top: 100) { "\(Plot.short($0)) %" },
            row("database", history.map(\.p95_ms), top: nil) { "p95 \(Plot.short($0)) ms" },
            row("refused", history.map { Double($0.refused) }, top: nil) { "\(Plot.short($0)) at a look" },
        ]
    }

    private var headline: String {
        var text = "\(report.service)  \(report.share) % admitted"
        switch report.stage {
        case .idle: text += ", not warming up"
        case .first: text += ", hot keys are preloaded (\(report.preloaded) so far)"
        case .second: text += ", the database is watched"
        case .watching: text += ", the database is still watched"
        }
        if report.stage != .idle, let since = report.since { text += ", since \(since.formatted(.iso8601))" }
        if report.stage != .idle, let reason = report.reason { text += ": \(reason)" }
        text += "; load \(report.load.rawValue)"
        if let steady = report.steady_ms { text += ", usual p95 \(Plot.short(steady)) ms" }
        return text + (report.isShared ? "" : "; Redis is away")
    }

    private func row(_ name: String, _ values: [Double?], top: Double?, _ say: (Double) -> String) -> String {
        let latest = values.last.flatMap(\.self).map(say) ?? "–"
        let largest = values.compactMap(\.self).max().map(say) ?? "–"
        let label = name.padding(toLength: 9, withPad: " ", startingAt: 0)
        return "    \(label) \(Plot.sparkline(values, top: top))  now \(latest), most \(largest)"
    }

    /// The same as panels.
    var group: PlotPage.Group {
        let begin = report.history.first?.at ?? Date()
        func line(_ name: String, _ colour: String, _ value: (WarmupSample) -> Double?) -> Plot.Line {
            Plot.Line(
                name, colour: colour,
                points: report.history.map { ($0.at.timeIntervalSince(begin), value($0)) })
        }
        return PlotPage.Group(
            report.service, text: headline,
            plots: [
                Plot("Admitted", unit: "%", lines: [line("share", "#0969da") { Double($0.share) }], top: 100),
                Plot("Hit rate", unit: "%", lines: [line("hits", "#2da44e") { $0.hitRate.map { $0 * 100 } }], top: 100),
                Plot(
                    "Database p95", unit: "ms", lines: [line("statements", "#8250df", \.p95_ms)],
                    limit: report.steady_ms.map { $0 * 2 }),
                Plot("Refused (503002)", unit: "", lines: [line("requests", "#cf222e") { Double($0.refused) }]),
            ])
    }
}
