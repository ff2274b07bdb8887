import ConnectionKit
import Foundation
package import LocalStack
import Logging
package import Postgres

/// Breaks one thing after the other under the mixed load, and holds what users then see against the contract.
package struct BlastRadius: Sendable {
    /// How soon after a fault everything must be as promised, and how soon after it is mended as ever, in seconds.
    package static let degradeLimit = 2.0
    package static let healLimit = 5.0

    private let control: ControlClient
    private let gateway: String
    private let audit: PostgresClient
    private let outage: Duration
    private let narrate: @Sendable (String) -> Void

    /// - Parameters:
    ///   - audit: the audit database, to count losses in.
    ///   - outage: how long each cause lasts.
    package init(
        control: ControlClient, gateway: String, audit: PostgresClient, outage: Duration,
        narrate: @escaping @Sendable (String) -> Void
    ) {
        self.control = control
        self.gateway = gateway
        self.audit = audit
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
            try await count(load.ledger, into: &report)
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
            for unit in cause.units { try await control.perform(Self.breaking(cause.fault), on: unit) }
            try await Task.sleep(for: outage)
        } catch {
            try? await mend(cause)
            throw error
        }
        let outageEnd = load.elapsed
        try await mend(cause)
        try await waitUntilReady()
        let mendedAt = load.elapsed
        // Time to see that it has healed, and for late answers to come.
        try await Task.sleep(for: .seconds(Self.healLimit + 1))
        let samples = load.ledger.samples.filter { $0.at >= brokenAt }
        let row = DrillReport.Row(
            cause: cause, brokenAt: brokenAt, mendedAt: mendedAt,
            cells: Capability.allCases.map {
                Self.cell($0, cause, samples, brokenAt: brokenAt, outageEnd: outageEnd, mendedAt: mendedAt)
            })
        narrate(Self.line(row))
        return row
    }

    private static func breaking(_ fault: Fault) -> StackSupervisor.Action {
        switch fault {
        case .stopped: .stop
        case .stalled: .pause
        case .killed: .kill
        }
    }

    private func mend(_ cause: Cause) async throws {
        for unit in cause.units {
            switch cause.fault {
            case .stopped: try await control.perform(.start, on: unit)
            case .stalled: try await control.perform(.continue, on: unit)
            case .killed: break
            }
        }
    }

    private func waitUntilReady() async throws {
        let deadline = Deadline.after(.seconds(60))
        while try await !control.status().isReady {
            guard !deadline.hasPassed else { throw DrillError("The suite is not ready a minute after it was mended.") }
            try await Task.sleep(for: .milliseconds(50))
        }
    }

    // MARK: - Judging

    private static func cell(
        _ capability: Capability, _ cause: Cause, _ all: [Sample], brokenAt: Double, outageEnd: Double,
        mendedAt: Double
    ) -> DrillReport.Cell {
        // That a token verifies is asked of the services that are there.
        let samples = all.filter { sample in
            sample.capability == capability && !(capability == .verify && cause.concerns(sample.service))
        }
        let promise = cause.promise(of: capability)
        let during = samples.filter { $0.at < outageEnd }
        let settled = during.filter { $0.at >= brokenAt + degradeLimit }
        let worse = during.filter { !$0.keeps(promise) }
        let after = samples.filter { $0.at >= mendedAt && !$0.keeps(.works) }
        let degradedAfter = worse.map(\.at).max().map { $0 - brokenAt }
        let healedAfter = after.map(\.at).max().map { $0 - mendedAt }
        let latencies = settled.map(\.latency_ms).sorted()
        return DrillReport.Cell(
            capability: capability, promise: promise,
            worst: settled.isEmpty ? "untested" : worst(of: settled),
            isKept: degradedAfter ?? 0 <= degradeLimit && healedAfter ?? 0 <= healLimit, requests: during.count,
            degradedAfter: degradedAfter, healedAfter: healedAfter,
            p99_ms: latencies.isEmpty ? 0 : latencies[latencies.count * 99 / 100],
            examples: Array(Set((worse + after).map(\.detail))).sorted().prefix(3).map(\.self))
    }

    private static func worst(of samples: [Sample]) -> String {
        for outcome in [Sample.Outcome.broken, .refused, .degraded]
        where samples.contains(where: { $0.outcome == outcome }) {
            return outcome.rawValue
        }
        return Sample.Outcome.works.rawValue
    }

    private static func line(_ row: DrillReport.Row) -> String {
        let cells = row.cells.map { cell in
            var text = "\(cell.isKept ? "✔" : "✘") \(cell.capability.rawValue): \(cell.worst)"
            if let after = cell.degradedAfter { text += " (after \(seconds(after)))" }
            if let after = cell.healedAfter { text += " (healed after \(seconds(after)))" }
            if !cell.isKept {
                text += " promised \(cell.promise.rawValue), was \(cell.examples.joined(separator: " | "))"
            }
            return text
        }
        return "\(row.isKept ? "✔" : "✘") \(row.cause.name)\n    " + cells.joined(separator: "  ")
    }

    private static func seconds(_ value: Double) -> String { "\((value * 10).rounded() / 10) s" }

    // MARK: - Counting

    private func count(_ ledger: Ledger, into report: inout DrillReport) async throws {
        let samples = ledger.samples
        report.requests = samples.count
        report.registered = ledger.registered.count
        report.lostSessions = ledger.lost
        report.acceptedTokens = ledger.accepted
        report.timeline = Self.timeline(samples)
        let deadline = Deadline.after(.seconds(30))
        repeat {
            let rows = try await audit.query(
                """
                SELECT target_id, count(*) AS records FROM audit_records
                WHERE action = 'identity.user.registered' AND target_id = ANY(\(ledger.registered)) GROUP BY 1
                """, deadline: .after(.seconds(10)))
            report.audited = rows.count
            report.auditedTwice = try rows.filter { try $0.decode(Int.self, "records") > 1 }.count
            if report.audited == report.registered { break }
            try await Task.sleep(for: .milliseconds(200))
        } while !deadline.hasPassed
    }

    private static func timeline(_ samples: [Sample]) -> [DrillReport.Second] {
        let order: [Sample.Outcome] = [.works, .degraded, .refused, .broken]
        let groups = Dictionary(grouping: samples) { "\(Int($0.at)) \($0.capability.rawValue)" }
        return groups.values.compactMap { group in
            guard let first = group.first else { return nil }
            let worst = order.last { outcome in group.contains { $0.outcome == outcome } } ?? .works
            return DrillReport.Second(second: Int(first.at), capability: first.capability, outcome: worst)
        }.sorted { ($0.second, $0.capability.rawValue) < ($1.second, $1.capability.rawValue) }
    }
}
