/// All series of one name, and how Prometheus reads them.
struct MetricFamily {
    enum Kind: String {
        case counter, gauge, histogram
    }

    enum Series {
        case counter(MetricCounter)
        case gauge(MetricGauge)
        case histogram(MetricHistogram)

        var counter: MetricCounter? { if case .counter(let value) = self { value } else { nil } }
        var gauge: MetricGauge? { if case .gauge(let value) = self { value } else { nil } }
        var histogram: MetricHistogram? { if case .histogram(let value) = self { value } else { nil } }
    }

    let name: String
    let kind: Kind
    let help: String
    /// By their labels as text, `method="GET",route="/x"`.
    var series: [String: Series] = [:]

    /// Appends the family in Prometheus's text format.
    func render(to text: inout String) {
        let escaped = help.replacing("\\", with: "\\\\").replacing("\n", with: "\\n")
        text += "# HELP \(name) \(escaped.isEmpty ? name : escaped)\n# TYPE \(name) \(kind.rawValue)\n"
        for (labels, series) in series.sorted(by: { $0.key < $1.key }) {
            let braced = labels.isEmpty ? "" : "{\(labels)}"
            switch series {
            case .counter(let counter): text += "\(name)\(braced) \(counter.value)\n"
            case .gauge(let gauge): text += "\(name)\(braced) \(Self.number(gauge.value))\n"
            case .histogram(let histogram): render(histogram.snapshot(), labels, braced, to: &text)
            }
        }
    }

    private func render(
        _ histogram: MetricHistogram.Snapshot, _ labels: String, _ braced: String, to text: inout String
    ) {
        let prefix = labels.isEmpty ? "" : labels + ","
        var cumulative: UInt64 = 0
        for (index, count) in histogram.counts.enumerated() {
            cumulative += count
            let bound = index < histogram.bounds.count ? Self.number(histogram.bounds[index]) : "+Inf"
            text += "\(name)_bucket{\(prefix)le=\"\(bound)\"} \(cumulative)\n"
        }
        text += "\(name)_sum\(braced) \(Self.number(histogram.sum))\n"
        text += "\(name)_count\(braced) \(cumulative)\n"
    }

    private static func number(_ value: Double) -> String {
        if value == value.rounded(), abs(value) < 1e15 { return String(Int64(value)) }
        return value.description
    }

    /// The name with what Prometheus does not allow in one replaced by `_`.
    static func validName(_ name: String) -> String {
        var valid = String(name.map { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_" || $0 == ":") ? $0 : "_" })
        if valid.first?.isNumber ?? true { valid = "_" + valid }
        return valid
    }

    /// The labels sorted and escaped, `method="GET",route="/x"`.
    static func labelText(_ labels: [(String, String)]) -> String {
        labels.sorted { $0.0 < $1.0 }.map { name, value in
            let escaped = value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
            return "\(validName(name))=\"\(escaped)\""
        }.joined(separator: ",")
    }
}
