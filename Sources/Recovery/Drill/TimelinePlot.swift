/// What happened second by second, as SVG: a strip for each capability, a box for each second, and above them when
/// something was broken.
struct TimelinePlot {
    /// Something that was broken, in seconds since the load began.
    struct Bar {
        let name: String
        let from: Double
        let to: Double
    }

    let timeline: [DrillReport.Second]
    let bars: [Bar]

    private static let colours: [Sample.Outcome: String] = [
        .works: "#2da44e", .degraded: "#d4a72c", .refused: "#fa7970", .broken: "#82071e",
    ]
    private static let (left, width, line) = (80.0, 1_000.0, 24)

    var svg: String {
        let length = max(1, (timeline.map(\.second).max() ?? 0) + 1)
        let step = Self.width / Double(length)
        var shapes = bars.map { bar in
            "<rect x='\(Self.left + bar.from * step)' y='0' width='\(max(1, (bar.to - bar.from) * step))' height='12' "
                + "fill='#57606a'><title>\(bar.name)</title></rect>"
        }
        for (line, capability) in Capability.sent.enumerated() {
            let y = 18 + line * Self.line
            shapes.append("<text x='0' y='\(y + 15)' font-size='13'>\(capability.rawValue)</text>")
            for second in timeline where second.capability == capability {
                shapes.append(
                    "<rect x='\(Self.left + Double(second.second) * step)' y='\(y)' width='\(step)' height='20' "
                        + "fill='\(Self.colours[second.outcome] ?? "#000")'>"
                        + "<title>\(second.second) s: \(second.outcome.rawValue)</title></rect>")
            }
        }
        let height = 24 + Capability.sent.count * Self.line
        return "<svg viewBox='0 0 1090 \(height)' role='img'>\(shapes.joined())</svg>"
    }
}

/// What the pages of all drills have in common. No scripts, no addresses.
enum ReportPage {
    static let style = """
        body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color:#1b1f24}
        table{border-collapse:collapse;width:100%}th,td{border:1px solid #d0d7de;padding:.35rem .6rem;text-align:left;vertical-align:top}
        td small{color:#57606a}.works{background:#dafbe1}.degraded{background:#fff8c5}.refused{background:#ffebe9}
        .broken,.miss{background:#cf222e;color:#fff}.miss small{color:#fff}.untested{background:#eaeef2}svg{width:100%;height:auto}
        """

    static func page(title: String, heading: String, body: String) -> String {
        """
        <!doctype html><html lang="en"><meta charset="utf-8"><title>authms: \(title)</title>
        <style>
        \(style)
        </style>
        <h1>\(heading)</h1>
        \(body)
        </html>
        """
    }

    static func escaped(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;")
    }
}
