import Foundation

extension DrillReport {
    /// The report as a page of its own: the table in colour, and what happened second by second. No scripts, no addresses.
    package var html: String {
        """
        <!doctype html><html lang="en"><meta charset="utf-8"><title>authms: blast radius</title>
        <style>
        body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color:#1b1f24}
        table{border-collapse:collapse;width:100%}th,td{border:1px solid #d0d7de;padding:.35rem .6rem;text-align:left;vertical-align:top}
        td small{color:#57606a}.works{background:#dafbe1}.degraded{background:#fff8c5}.refused{background:#ffebe9}.broken,.miss{background:#cf222e;color:#fff}
        .miss small{color:#fff}.untested{background:#eaeef2}svg{width:100%;height:auto}
        </style>
        <h1>Blast radius: \(isKept ? "every promise was kept" : "promises were broken")</h1>
        <p>\(startedAt.formatted(.iso8601)) · \(requests) requests: each second 5 logins, 1 registration, 40 refreshes, 150 reads, 4 logouts.
        \(registered) registrations were acknowledged, \(audited) of them are in the audit trail, \(auditedTwice) twice.
        \(lostSessions.count) acknowledged sessions were lost, \(acceptedTokens.count) signed-out tokens were taken.</p>
        <table><tr><th>gone</th>\(Capability.allCases.map { "<th>\($0.rawValue)</th>" }.joined())</tr>
        \(rows.map(\.html).joined(separator: "\n"))
        </table>
        <p><small>Green works, yellow is degraded, red is refused with Retry-After; dark red broke the promise. Times: from the fault until all was
        as promised (at most \(BlastRadius.degradeLimit) s), and from the dependency being back until all worked (at most \(BlastRadius.healLimit) s).</small></p>
        <h2>Second by second</h2>
        \(plot)
        </html>
        """
    }

    /// A strip for each capability, a box for each second, and above them when something was broken.
    private var plot: String {
        let length = max(1, (timeline.map(\.second).max() ?? 0) + 1)
        let (left, step) = (80.0, 1_000.0 / Double(length))
        let colours: [Sample.Outcome: String] = [
            .works: "#2da44e", .degraded: "#d4a72c", .refused: "#fa7970", .broken: "#82071e",
        ]
        var shapes = rows.map { row in
            let x = left + row.brokenAt * step
            let width = max(1, (row.mendedAt - row.brokenAt) * step)
            return
                "<rect x='\(x)' y='0' width='\(width)' height='12' fill='#57606a'><title>\(row.cause.name)</title></rect>"
        }
        for (line, capability) in Capability.allCases.enumerated() {
            let y = 18 + line * 24
            shapes.append("<text x='0' y='\(y + 15)' font-size='13'>\(capability.rawValue)</text>")
            for second in timeline where second.capability == capability {
                shapes.append(
                    "<rect x='\(left + Double(second.second) * step)' y='\(y)' width='\(step)' height='20' "
                        + "fill='\(colours[second.outcome] ?? "#000")'><title>\(second.second) s: \(second.outcome.rawValue)</title></rect>"
                )
            }
        }
        return "<svg viewBox='0 0 1090 \(24 + Capability.allCases.count * 24)' role='img'>\(shapes.joined())</svg>"
    }
}

extension DrillReport.Row {
    fileprivate var html: String {
        let columns = cells.map { cell in
            var notes: [String] = []
            if cell.promise != .works { notes.append("promised \(cell.promise.rawValue)") }
            if let after = cell.degradedAfter { notes.append("as promised after \(Self.seconds(after))") }
            if let after = cell.healedAfter { notes.append("healed after \(Self.seconds(after))") }
            if !cell.isKept { notes += cell.examples.map(Self.escaped) }
            return
                "<td class='\(cell.isKept ? cell.worst : "miss")'>\(cell.worst)<br><small>\(notes.joined(separator: "<br>"))</small></td>"
        }
        return "<tr><th>\(cause.name)</th>\(columns.joined())</tr>"
    }

    private static func seconds(_ value: Double) -> String { "\((value * 10).rounded() / 10) s" }

    private static func escaped(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;")
    }
}
