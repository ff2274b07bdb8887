import Foundation

extension DrillReport {
    /// The report as a page of its own: the table in colour, and what happened second by second.
    package var html: String {
        let bars = rows.map { TimelinePlot.Bar(name: $0.cause.name, from: $0.brokenAt, to: $0.mendedAt) }
        return ReportPage.page(
            title: "blast radius",
            heading: "Blast radius: \(verdicts.line)",
            body: """
                <p>\(ReportPage.escaped(conclusion))<br>
                \(startedAt.formatted(.iso8601)) · \(requests) requests: each second 5 logins, one of them with a second factor,
                1 registration, 40 refreshes, 150 reads, 4 logouts, 2 changes of a profile.<br>
                \(reckoning.lines.map(ReportPage.escaped).joined(separator: "<br>"))</p>
                <table><tr><th>gone</th>\(Capability.allCases.map { "<th>\($0.rawValue)</th>" }.joined())</tr>
                \(rows.map(\.html).joined(separator: "\n"))
                </table>
                <p><small>Green works, yellow is degraded, red is refused with Retry-After; dark red broke the promise;
                grey was asked too rarely to say, which only a killed process, back at once, is forgiven. Times: from
                the fault until all was as promised (at most \(BlastRadius.degradeLimit) s), and from the dependency being back until
                all worked (at most \(BlastRadius.healLimit) s).</small></p>
                <h2>Second by second</h2>
                \(TimelinePlot(timeline: timeline, bars: bars).svg)
                """)
    }
}

extension DrillReport.Row {
    fileprivate var html: String {
        let columns = cells.map { cell in
            var notes: [String] = []
            if cell.promise != .works { notes.append("promised \(cell.promise.rawValue)") }
            if let after = cell.degradedAfter { notes.append("as promised after \(Self.seconds(after))") }
            if let after = cell.healedAfter { notes.append("healed after \(Self.seconds(after))") }
            if cell.verdict == .broken { notes += cell.examples.map(ReportPage.escaped) }
            if cell.verdict == .untested { notes.append("\(cell.requests) requests") }
            let style =
                switch cell.verdict {
                case .kept: cell.worst
                case .broken: "miss"
                case .untested: "untested"
                }
            return
                "<td class='\(style)'>\(cell.word)<br><small>\(notes.joined(separator: "<br>"))</small></td>"
        }
        return "<tr><th>\(cause.name)</th>\(columns.joined())</tr>"
    }
}
