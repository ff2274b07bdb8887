import Foundation

/// Holds the requests of one outage against what is promised. Times are seconds since the load began.
package struct DrillJudge {
    let cause: Cause
    let brokenAt: Double
    /// When mending began.
    let outageEnd: Double
    /// When what was broken answered again.
    let mendedAt: Double

    /// A record that comes within so many seconds is not late.
    static let promptness = 5.0
    /// Of fewer requests nothing is said. What is asked for once a second is asked for so often in the shortest outage that
    /// the drill takes, its first two seconds left out.
    package static let leastRequests = 2

    package init(cause: Cause, brokenAt: Double, outageEnd: Double, mendedAt: Double) {
        self.cause = cause
        self.brokenAt = brokenAt
        self.outageEnd = outageEnd
        self.mendedAt = mendedAt
    }

    package func cell(_ capability: Capability, _ all: [Sample]) -> DrillReport.Cell {
        // That a token verifies is asked of the services that are there.
        let samples = all.filter { sample in
            sample.capability == capability && !(capability == .verify && cause.concerns(sample.service))
        }
        let promise = cause.promise(of: capability)
        // What is killed is back before it can be said to have been away: until it is, the promise is what holds.
        let end = cause.fault == .killed ? mendedAt : outageEnd
        let during = samples.filter { $0.at < end }
        let settled = during.filter { $0.at >= brokenAt + BlastRadius.degradeLimit }
        let worse = during.filter { !$0.keeps(promise) }
        let after = samples.filter { $0.at >= mendedAt && !$0.keeps(.works) }
        let degradedAfter = worse.map(\.at).max().map { $0 - brokenAt }
        let healedAfter = after.map(\.at).max().map { $0 - mendedAt }
        let latencies = settled.map(\.latency_ms).sorted()
        return DrillReport.Cell(
            capability: capability, promise: promise, worst: Self.worst(of: settled, else: during),
            verdict: verdict(
                isKept: degradedAfter ?? 0 <= BlastRadius.degradeLimit && healedAfter ?? 0 <= BlastRadius.healLimit,
                judged: cause.fault == .killed ? during.count : settled.count),
            isRequired: isRequired,
            requests: during.count, degradedAfter: degradedAfter, healedAfter: healedAfter,
            p99_ms: latencies.isEmpty ? 0 : latencies[latencies.count * 99 / 100],
            examples: Array(Set((worse + after).map(\.detail))).sorted().prefix(3).map(\.self))
    }

    /// What went wrong is told however few were asked; that all went well is not said of too few.
    private func verdict(isKept: Bool, judged: Int) -> Verdict {
        guard isKept else { return .broken }
        return judged < Self.leastRequests ? .untested : .kept
    }

    /// What is killed may be back before everything has been asked for; any other outage is long enough for that.
    private var isRequired: Bool { cause.fault != .killed }

    /// The worst once the time to degrade is over, or of all of it where the outage was shorter.
    private static func worst(of settled: [Sample], else during: [Sample]) -> String {
        let samples = settled.isEmpty ? during : settled
        guard !samples.isEmpty else { return "untested" }
        for outcome in [Sample.Outcome.broken, .refused, .degraded]
        where samples.contains(where: { $0.outcome == outcome }) {
            return outcome.rawValue
        }
        return Sample.Outcome.works.rawValue
    }

    // MARK: - The trail

    /// Each change of the outage has its one record; in time, unless the trail or what leads to it was away.
    func auditCell(_ changes: [Ledger.Change], _ records: [Reckoner.Recorded]) -> DrillReport.Cell {
        let promise = cause.promise(of: .audit)
        var (late, wrong, delays): ([String], [String], [Double]) = ([], [], [])
        var last = mendedAt
        for (change, record) in zip(changes, records) {
            guard record.count == 1, let at = record.at else {
                wrong.append("\(change.action) \(change.key): \(record.count) records")
                continue
            }
            let delay = max(0, at.timeIntervalSince(change.acknowledgedAt))
            if cause.delays(recordsOf: change.service) {
                last = max(last, change.at + delay)
            } else {
                delays.append(delay * 1_000)
                if delay > Self.promptness { late.append("\(change.action): \(Int(delay)) s late") }
            }
        }
        delays.sort()
        let healedAfter = last > mendedAt ? last - mendedAt : nil
        let isLate = promise == .works ? !late.isEmpty : healedAfter != nil
        return DrillReport.Cell(
            capability: .audit, promise: promise, worst: wrong.isEmpty ? isLate ? "degraded" : "works" : "broken",
            verdict: verdict(
                isKept: wrong.isEmpty && (promise == .degraded || late.isEmpty)
                    && healedAfter ?? 0 <= BlastRadius.healLimit,
                judged: changes.count),
            isRequired: isRequired,
            requests: changes.count, degradedAfter: nil, healedAfter: healedAfter,
            p99_ms: delays.isEmpty ? 0 : delays[delays.count * 99 / 100],
            examples: (wrong + Array(Set(late)).sorted()).prefix(3).map(\.self))
    }
}

extension DrillReport.Row {
    /// The row in two lines for a terminal.
    var line: String {
        let texts = cells.map { cell in
            var text = "\(cell.mark) \(cell.capability.rawValue): \(cell.word)"
            if let after = cell.degradedAfter { text += " (after \(Self.seconds(after)))" }
            if let after = cell.healedAfter { text += " (healed after \(Self.seconds(after)))" }
            if cell.verdict == .broken {
                text += " promised \(cell.promise.rawValue), was \(cell.examples.joined(separator: " | "))"
            }
            return text
        }
        return "\(holds ? "✔" : "✘") \(cause.name)\n    " + texts.joined(separator: "  ")
    }

    static func seconds(_ value: Double) -> String { "\((value * 10).rounded() / 10) s" }
}
