/// One measured figure, and the goal that it is held to.
package struct BenchResult: Sendable, Encodable {
    /// What was measured, as a heading of the report.
    package let name: String
    /// The figure.
    package let value: Double
    /// The unit of `value`, "1/s" for example.
    package let unit: String
    /// The figure over what it is compared with, both taken alternately in one run; nil where there is nothing to
    /// compare with.
    package let ratio: Double?
    /// What it is compared with and the least ratio, in words, "≥ 0.8 × openssl speed"; nil where there is no goal.
    package let goal: String?
    /// Whether the goal is met; true where there is none.
    package let passes: Bool

    package init(
        name: String, value: Double, unit: String, ratio: Double? = nil, goal: String? = nil, passes: Bool = true
    ) {
        self.name = name
        self.value = value
        self.unit = unit
        self.ratio = ratio
        self.goal = goal
        self.passes = passes
    }
}

extension BenchResult: CustomStringConvertible {
    /// One line of the report.
    package var description: String {
        var line = "\(name): \(Self.rounded(value)) \(unit)"
        if let ratio { line += ", ratio \(Self.rounded(ratio))" }
        if let goal { line += " (goal \(goal): \(passes ? "met" : "MISSED"))" }
        return line
    }

    private static func rounded(_ value: Double) -> String {
        let factor: Double = value < 10 ? 1_000 : value < 1_000 ? 10 : 1
        let rounded = (value * factor).rounded() / factor
        return factor == 1 ? "\(Int(rounded))" : "\(rounded)"
    }
}
