package import Recovery

extension AuditStall {
    /// For how many seconds of stall the promise holds.
    package static let promised_s = 300

    /// - Parameter stall_s: for how many seconds the database was stalled; where that is less than is promised, the result says
    ///   so.
    package static func results(_ outcome: Outcome, stall_s: Int) -> [BenchResult] {
        let ratio = outcome.stalled_ms / max(outcome.usual_ms, 0.001)
        let drain = outcome.drain / .seconds(1)
        let less = stall_s < promised_s ? " (promised for \(promised_s) s: --stall \(promised_s))" : ""
        return [
            BenchResult(
                name:
                    "p99 of \(outcome.requests) requests of the mixed load, the audit database stalled for \(stall_s) s\(less)",
                value: outcome.stalled_ms, unit: "ms", ratio: ratio, goal: "≤ 1.1 × without", passes: ratio <= 1.1),
            BenchResult(
                name: "Requests that were not answered as usual", value: Double(outcome.failed), unit: "", goal: "none",
                passes: outcome.failed == 0),
            BenchResult(
                name: "Until the trail had what waited", value: drain, unit: "s", goal: "< 120 s", passes: drain < 120),
        ]
    }
}
