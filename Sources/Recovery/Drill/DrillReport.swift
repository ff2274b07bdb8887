package import Foundation

/// What a drill found: as JSON for machines.
package struct DrillReport: Sendable, Codable {
    /// One cell of the contract under one cause.
    package struct Cell: Sendable, Codable {
        package let capability: Capability
        package let promise: Promise
        /// The worst that happened once the first two seconds had passed, or `untested` where nothing was sent.
        package let worst: String
        package let verdict: Verdict
        /// Whether it has to be tested: that it was not is as bad then as a broken promise.
        package let isRequired: Bool
        package let requests: Int
        /// From the fault to the last request that was worse than promised, in seconds; nil when none was.
        package let degradedAfter: Double?
        /// From the dependency being back to the last request that did not work as ever, or of the trail to the last record
        /// of the outage, in seconds; nil when nothing failed or was late.
        package let healedAfter: Double?
        package let p99_ms: Double
        /// Of requests that were worse than promised: what they were answered.
        package let examples: [String]

        /// Broken, or untested where it must not be.
        package var fails: Bool { verdict == .broken || verdict == .untested && isRequired }
    }

    /// How many cells came to what.
    package struct Verdicts: Sendable, Codable, Equatable {
        package let kept: Int
        package let broken: Int
        package let untested: Int

        package init(_ rows: [Row]) {
            let counts = Dictionary(grouping: rows.flatMap(\.cells), by: \.verdict).mapValues(\.count)
            (kept, broken, untested) = (counts[.kept] ?? 0, counts[.broken] ?? 0, counts[.untested] ?? 0)
        }

        /// For people.
        package var line: String { "\(kept) kept, \(broken) broken, \(untested) untested" }
    }

    package struct Row: Sendable, Codable {
        package let cause: Cause
        /// Seconds since the drill began.
        package let brokenAt: Double
        package let mendedAt: Double
        package let cells: [Cell]
        package var holds: Bool { !cells.contains(where: \.fails) }

        package init(cause: Cause, brokenAt: Double, mendedAt: Double, cells: [Cell]) {
            self.cause = cause
            self.brokenAt = brokenAt
            self.mendedAt = mendedAt
            self.cells = cells
        }
    }

    /// One capability in one second: the worst outcome.
    package struct Second: Sendable, Codable {
        package let second: Int
        package let capability: Capability
        package let outcome: Sample.Outcome
    }

    package let startedAt: Date
    package var rows: [Row] = [] {
        didSet { verdicts = Verdicts(rows) }
    }
    package private(set) var verdicts = Verdicts([])
    package var timeline: [Second] = []
    package var requests = 0
    /// What became of all that was acknowledged.
    package var reckoning = Reckoning()

    package init(startedAt: Date) {
        self.startedAt = startedAt
    }

    /// Whether no promise was broken, none that had to be tested was left out, and nothing was lost.
    package var isKept: Bool { rows.allSatisfy(\.holds) && reckoning.isClean }

    /// The whole of it in one sentence.
    package var conclusion: String {
        if isKept { return "Every promise that was tested was kept, and nothing was lost." }
        if verdicts.broken > 0 { return "Promises were broken." }
        return reckoning.isClean ? "Promises that had to be tested were not." : "Something was lost."
    }

    /// The worst of each capability in each second.
    static func timeline(_ samples: [Sample]) -> [Second] {
        let order: [Sample.Outcome] = [.works, .degraded, .refused, .broken]
        let groups = Dictionary(grouping: samples) { "\(Int($0.at)) \($0.capability.rawValue)" }
        return groups.values.compactMap { group in
            guard let first = group.first else { return nil }
            let worst = order.last { outcome in group.contains { $0.outcome == outcome } } ?? .works
            return Second(second: Int(first.at), capability: first.capability, outcome: worst)
        }.sorted { ($0.second, $0.capability.rawValue) < ($1.second, $1.capability.rawValue) }
    }
}

extension DrillReport.Cell {
    /// What happened, in the word that fits the capability: a record is late where an answer would be less than usual.
    package var word: String {
        if verdict == .untested { return isRequired ? "UNTESTED" : "untested" }
        return capability == .audit && worst == "degraded" ? "delayed" : worst
    }

    /// The verdict as one sign.
    var mark: String {
        switch verdict {
        case .kept: "✔"
        case .broken: "✘"
        case .untested: isRequired ? "✘" : "–"
        }
    }
}

/// What a cell of the contract came to.
package enum Verdict: String, Sendable, Codable {
    case kept, broken
    /// Too little was asked to say either.
    case untested
}
