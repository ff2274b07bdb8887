package import Foundation

/// What a drill found: as JSON for machines.
package struct DrillReport: Sendable, Codable {
    /// One cell of the contract under one cause.
    package struct Cell: Sendable, Codable {
        package let capability: Capability
        package let promise: Promise
        /// The worst that happened once the first two seconds had passed, or `untested` where nothing was sent.
        package let worst: String
        package let isKept: Bool
        package let requests: Int
        /// From the fault to the last request that was worse than promised, in seconds; nil when none was.
        package let degradedAfter: Double?
        /// From the dependency being back to the last request that did not work as ever, in seconds; nil when none failed.
        package let healedAfter: Double?
        package let p99_ms: Double
        /// Of requests that were worse than promised: what they were answered.
        package let examples: [String]
    }

    package struct Row: Sendable, Codable {
        package let cause: Cause
        /// Seconds since the drill began.
        package let brokenAt: Double
        package let mendedAt: Double
        package let cells: [Cell]
        package var isKept: Bool { cells.allSatisfy(\.isKept) }
    }

    /// One capability in one second: the worst outcome.
    package struct Second: Sendable, Codable {
        package let second: Int
        package let capability: Capability
        package let outcome: Sample.Outcome
    }

    package let startedAt: Date
    package var rows: [Row] = []
    package var timeline: [Second] = []
    package var requests = 0
    /// Registrations that were acknowledged, and how many of them have their one audit record.
    package var registered = 0
    package var audited = 0
    package var auditedTwice = 0
    /// Acknowledged sessions that were refused afterwards.
    package var lostSessions: [String] = []
    /// Signed-out tokens that were taken.
    package var acceptedTokens: [String] = []

    package init(startedAt: Date) {
        self.startedAt = startedAt
    }

    package var isKept: Bool {
        rows.allSatisfy(\.isKept) && audited == registered && auditedTwice == 0 && lostSessions.isEmpty
            && acceptedTokens.isEmpty
    }
}
