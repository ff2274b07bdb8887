package import Foundation

/// What a soak found: as JSON for machines.
package struct SoakReport: Sendable, Codable {
    /// One fault, in seconds since the load began.
    package struct Fault: Sendable, Codable {
        package let name: String
        package let from: Double
        package let to: Double
    }

    package let startedAt: Date
    /// Decides the order of faults: the same seed breaks the same things in the same order.
    package let seed: UInt64
    /// Whether a database's disk was filled; only root can.
    package let hasSmallDisk: Bool
    package internal(set) var faults: [Fault] = []
    package internal(set) var requests = 0
    /// How many requests of each capability came out in each way.
    package internal(set) var outcomes: [String: [String: Int]] = [:]
    /// What no fault excuses: answers of 500, counted by what they say.
    package internal(set) var failures: [String: Int] = [:]
    package internal(set) var timeline: [DrillReport.Second] = []
    package internal(set) var reckoning = Reckoning()

    package init(startedAt: Date, seed: UInt64, hasSmallDisk: Bool) {
        self.startedAt = startedAt
        self.seed = seed
        self.hasSmallDisk = hasSmallDisk
    }

    package var isClean: Bool { failures.isEmpty && reckoning.isClean }

    mutating func count(_ samples: [Sample]) {
        requests = samples.count
        timeline = DrillReport.timeline(samples)
        for sample in samples {
            outcomes[sample.capability.rawValue, default: [:]][sample.outcome.rawValue, default: 0] += 1
            if sample.detail.hasPrefix("500") { failures[sample.detail, default: 0] += 1 }
        }
    }

    /// In one line each, for people.
    package var lines: [String] {
        let broken = outcomes.values.compactMap { $0[Sample.Outcome.broken.rawValue] }.reduce(0, +)
        return [
            "\(requests) requests under \(faults.count) faults (seed \(seed)), \(broken) of them without a good answer; "
                + "\(failures.values.reduce(0, +)) answers of 500.",
            hasSmallDisk
                ? "Among the faults was a database's full disk."
                : "No disk was filled: only root can give a database a small one.",
        ] + failures.map { "  ✘ \($0.value) × \($0.key)" } + reckoning.lines
    }

    /// The report as a page of its own.
    package var html: String {
        let bars = faults.map { TimelinePlot.Bar(name: $0.name, from: $0.from, to: $0.to) }
        let list = faults.map {
            "<tr><td>\(Int($0.from)) s</td><td>\($0.name)</td><td>\(Int($0.to - $0.from)) s</td></tr>"
        }
        return ReportPage.page(
            title: "soak", heading: "Soak: \(isClean ? "nothing was lost" : "something was lost")",
            body: """
                <p>\(startedAt.formatted(.iso8601))<br>\(lines.map(ReportPage.escaped).joined(separator: "<br>"))</p>
                <h2>Second by second</h2>
                \(TimelinePlot(timeline: timeline, bars: bars).svg)
                <table><tr><th>at</th><th>what</th><th>for</th></tr>\(list.joined(separator: "\n"))</table>
                """)
    }
}
