import ConnectionKit
import Foundation
import LocalStack

/// Breaks one thing after the other under the mixed load, and holds what users then see against the contract.
package struct BlastRadius: Sendable {
    /// How soon after a fault everything must be as promised, and how soon after it is mended as ever, in seconds.
    package static let degradeLimit = 2.0
    package static let healLimit = 5.0

    private let breaker: Breaker
    private let gateway: String
    private let reckoner: Reckoner
    private let outage: Duration
    private let narrate: @Sendable (String) -> Void

    /// - Parameter outage: how long each cause lasts.
    package init(
        breaker: Breaker, gateway: String, reckoner: Reckoner, outage: Duration,
        narrate: @escaping @Sendable (String) -> Void
    ) {
        self.breaker = breaker
        self.gateway = gateway
        self.reckoner = reckoner
        self.outage = outage
        self.narrate = narrate
    }

    /// - Throws: `DrillError`, `LocalStackError` when the drill cannot be held. What it has broken is mended in any case.
    package func run(_ causes: [Cause]) async throws -> DrillReport {
        var report = DrillReport(startedAt: Date())
        let load = MixedLoad(gateway: gateway)
        do {
            narrate("Making users and sessions …")
            try await load.prepare()
            report.rows = try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { await load.run() }
                defer { load.stop() }
                var rows: [DrillReport.Row] = []
                try await Task.sleep(for: .seconds(2))
                for cause in causes { rows.append(try await hold(cause, under: load)) }
                return rows
            }
            narrate("Counting what was acknowledged …")
            report.requests = load.ledger.samples.count
            report.timeline = DrillReport.timeline(load.ledger.samples)
            report.reckoning = try await reckoner.reckon(load, deadline: .after(.seconds(60)))
        } catch {
            await load.close()
            throw error
        }
        await load.close()
        return report
    }

    private func hold(_ cause: Cause, under load: MixedLoad) async throws -> DrillReport.Row {
        let brokenAt = load.elapsed
        do {
            try await breaker.make(cause)
            // What was killed comes back by itself, and is not left away.
            if cause.fault != .killed { try await Task.sleep(for: outage) }
        } catch {
            await breaker.mendAnyway(cause)
            throw error
        }
        let outageEnd = load.elapsed
        try await breaker.mend(cause)
        let mendedAt = load.elapsed
        // Time to see that it has healed, and for late answers to come.
        try await Task.sleep(for: .seconds(Self.healLimit + 1))
        let window = DrillJudge(cause: cause, brokenAt: brokenAt, outageEnd: outageEnd, mendedAt: mendedAt)
        let samples = load.ledger.samples.filter { $0.at >= brokenAt }
        var cells = Capability.sent.map { window.cell($0, samples) }
        cells.append(try await auditCell(window, load))
        try await breaker.waitUntilReady()
        let row = DrillReport.Row(cause: cause, brokenAt: brokenAt, mendedAt: mendedAt, cells: cells)
        narrate(row.line)
        return row
    }

    /// Waits until each change of the outage has a record, or it is clear that one has none.
    private func auditCell(_ window: DrillJudge, _ load: MixedLoad) async throws -> DrillReport.Cell {
        let changes = load.ledger.changes.filter { $0.at >= window.brokenAt && $0.at <= window.mendedAt }
        let deadline = Deadline.after(.seconds(30))
        while true {
            let records = try await reckoner.records(of: changes, deadline: .after(.seconds(10)))
            if deadline.hasPassed || records.allSatisfy({ $0.count > 0 }) {
                return window.auditCell(changes, records)
            }
            try await Task.sleep(for: .milliseconds(200))
        }
    }
}
