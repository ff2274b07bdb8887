import Foundation

/// A quantity over time: as a line of block characters for a terminal, as a panel of a page.
package struct Plot: Sendable {
    /// A line of a panel.
    package struct Line: Sendable {
        package let name: String
        /// CSS.
        package let colour: String
        /// Times in seconds and values; where there is no value the line is broken.
        package let points: [(x: Double, y: Double?)]

        package init(_ name: String, colour: String, points: [(x: Double, y: Double?)]) {
            self.name = name
            self.colour = colour
            self.points = points
        }
    }

    package let title: String
    package let unit: String
    package let lines: [Line]
    /// The value at the top; the largest that occurs when nil.
    package let top: Double?
    /// A value to compare with, drawn across.
    package let limit: Double?

    package init(_ title: String, unit: String, lines: [Line], top: Double? = nil, limit: Double? = nil) {
        self.title = title
        self.unit = unit
        self.lines = lines
        self.top = top
        self.limit = limit
    }

    private static let blocks = Array("▁▂▃▄▅▆▇█")

    /// Values as blocks, at most `width` of them; a blank where there is none. From zero to `top`.
    package static func sparkline(_ values: [Double?], width: Int = 60, top: Double? = nil) -> String {
        guard !values.isEmpty else { return "" }
        let columns = min(width, values.count)
        let top = max(top ?? values.compactMap(\.self).max() ?? 0, .leastNormalMagnitude)
        return String(
            (0..<columns).map { column in
                let part = values[(column * values.count / columns)..<((column + 1) * values.count / columns)]
                let known = part.compactMap(\.self)
                guard !known.isEmpty else { return " " }
                let share = known.reduce(0, +) / Double(known.count) / top
                return blocks[min(blocks.count - 1, max(0, Int(share * Double(blocks.count))))]
            })
    }

    /// The panel as inline SVG: no scripts, no addresses.
    package var svg: String {
        let (left, right, upper, lower) = (60.0, 1_060.0, 24.0, 164.0)
        let points = lines.flatMap(\.points)
        let (first, last) = (points.map(\.x).min() ?? 0, points.map(\.x).max() ?? 1)
        let top = top ?? max(points.compactMap(\.y).max() ?? 1, limit ?? 0, .leastNormalMagnitude) * 1.05
        func x(_ value: Double) -> Double { left + (value - first) / max(last - first, 1e-9) * (right - left) }
        func y(_ value: Double) -> Double { lower - min(value, top) / top * (lower - upper) }
        var shapes = [
            "<text x='0' y='14' font-weight='bold'>\(Self.escaped(title))</text>",
            "<path d='M\(left) \(upper)V\(lower)H\(right)' fill='none' stroke='#8c959f'/>",
            "<text x='\(left - 6)' y='\(upper + 10)' text-anchor='end'>\(Self.short(top)) \(Self.escaped(unit))</text>",
            "<text x='\(left - 6)' y='\(lower)' text-anchor='end'>0</text>",
            "<text x='\(right)' y='\(lower + 16)' text-anchor='end'>\(Self.short(last - first)) s</text>",
        ]
        if let limit {
            shapes.append(
                "<path d='M\(left) \(y(limit))H\(right)' stroke='#cf222e' stroke-dasharray='6 4'/>")
        }
        for (number, line) in lines.enumerated() {
            shapes.append(
                "<text x='\(320 + number * 200)' y='14' fill='\(line.colour)'>\(Self.escaped(line.name))</text>")
            shapes.append(
                "<path d='\(Self.path(line.points, x, y))' fill='none' stroke='\(line.colour)' stroke-width='2'/>")
        }
        return "<svg viewBox='0 0 1080 186' role='img' font-size='13'>\(shapes.joined())</svg>"
    }

    private static func path(
        _ points: [(x: Double, y: Double?)], _ x: (Double) -> Double, _ y: (Double) -> Double
    ) -> String {
        var isDown = false
        return points.map { point in
            guard let value = point.y else {
                isDown = false
                return ""
            }
            defer { isDown = true }
            return "\(isDown ? "L" : "M")\(hundredths(x(point.x))) \(hundredths(y(value)))"
        }.joined()
    }

    private static func hundredths(_ value: Double) -> Double { (value * 100).rounded() / 100 }

    /// Three digits are enough to read.
    package static func short(_ value: Double) -> String {
        if value >= 100 || value == value.rounded() { return "\(Int(value.rounded()))" }
        return value >= 10 ? "\((value * 10).rounded() / 10)" : "\((value * 100).rounded() / 100)"
    }

    fileprivate static func escaped(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing("'", with: "&#39;")
    }
}

/// Panels below each other, with a heading and a paragraph for each group.
package struct PlotPage: Sendable {
    package struct Group: Sendable {
        package let heading: String
        package let text: String
        package let plots: [Plot]

        package init(_ heading: String, text: String, plots: [Plot]) {
            self.heading = heading
            self.text = text
            self.plots = plots
        }
    }

    package let title: String
    package let groups: [Group]

    package init(_ title: String, groups: [Group]) {
        self.title = title
        self.groups = groups
    }

    /// The same for a terminal, one line for each line of a panel.
    package func lines(width: Int = 60) -> [String] {
        groups.flatMap { group in
            [group.heading]
                + group.plots.flatMap { plot in
                    plot.lines.map { line in
                        let values = line.points.map(\.y)
                        let top = plot.top ?? plot.lines.flatMap(\.points).compactMap(\.y).max()
                        let most = values.compactMap(\.self).max().map { "most \(Plot.short($0)) \(plot.unit)" } ?? ""
                        return "  \(plot.title), \(line.name): ".padding(toLength: 34, withPad: " ", startingAt: 0)
                            + Plot.sparkline(values, width: width, top: top) + "  \(most)"
                    }
                }
        }
    }

    /// A page of its own: no scripts, no addresses.
    package var html: String {
        let body = groups.map { group in
            "<h2>\(Plot.escaped(group.heading))</h2><p>\(Plot.escaped(group.text))</p>\n"
                + group.plots.map(\.svg).joined(separator: "\n")
        }
        return """
            <!doctype html><html lang="en"><meta charset="utf-8"><title>\(Plot.escaped(title))</title>
            <style>
            body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color:#1b1f24}
            svg{width:100%;height:auto;margin:.5rem 0}
            </style>
            <h1>\(Plot.escaped(title))</h1>
            \(body.joined(separator: "\n"))
            </html>

            """
    }
}
