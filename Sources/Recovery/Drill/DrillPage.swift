import Foundation

extension DrillReport {
    /// The report as a page of its own: the table in colour, and what happened second by second.
    package var html: String {
        let bars = rows.map { TimelinePlot.Bar(name: $0.cause.name, from: $0.brokenAt, to: $0.mendedAt) }
        return ReportPage.page(
            title: "blast radius",
            heading: "Blast radius: \(isKept ? "every promise was kept" : "promises were broken")",
            body: """
                <p>\(startedAt.formatted(.iso8601)) · \(requests) requests: each second 5 logins, 1 registration, 40 refreshes,
                150 reads, 4 logouts, 2 changes of a profile.<br>
                \(reckoning.lines.map(ReportPage.escaped).joined(separator: "<br>"))</p>
                <table><tr><th>gone</th>\(Capability.allCases.map { "<th>\($0.rawValue)</th>" }.joined())</tr>
                \(rows.map(\.html).joined(separator: "\n"))
                </table>
                <p><small>Green works, yellow is degraded, red is refused with Retry-After; dark red broke the promise. Times: from
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
            if !cell.isKept { notes += cell.examples.map(ReportPage.escaped) }
            return
                "<td class='\(cell.isKept ? cell.worst : "miss")'>\(cell.word)<br><small>\(notes.joined(separator: "<br>"))</small></td>"
        }
        return "<tr><th>\(cause.name)</th>\(columns.joined())</tr>"
    }
}
