import ConnectionKit
import Contracts
import Foundation
package import LocalStack
package import Postgres

/// Holds the suite to the promise that nobody waits for the audit trail: its database stalls under the mixed load, and
/// goes on; what of it is felt, and how long what waited takes to arrive.
package struct AuditStall: Sendable {
    private static let unit = "postgres-audit"
    /// Until the first requests have made their connections, and between one measurement and the next.
    private static let settling = Duration.seconds(5)

    private let control: ControlClient
    private let gateway: String
    private let audit: PostgresClient
    private let sources: [(uri: String, database: PostgresClient)]
    private let narrate: @Sendable (String) -> Void

    /// - Parameters:
    ///   - audit: the audit database.
    ///   - sources: the databases of the services that the load makes busy, with the URI of their streams.
    ///   - narrate: is told what comes next.
    package init(
        control: ControlClient, gateway: String, audit: PostgresClient,
        sources: [(uri: String, database: PostgresClient)], narrate: @escaping @Sendable (String) -> Void
    ) {
        self.control = control
        self.gateway = gateway
        self.audit = audit
        self.sources = sources
        self.narrate = narrate
    }

    /// What was measured.
    package struct Outcome: Sendable {
        /// The 99th percentile of all requests, before the stall and after it together.
        package let usual_ms: Double
        /// The same during the stall.
        package let stalled_ms: Double
        /// Requests that were neither answered as usual nor at all, from the beginning to the end.
        package let failed: Int
        package let requests: Int
        /// From the database's going on until the trail had what was committed before.
        package let drain: Duration

        package init(usual_ms: Double, stalled_ms: Double, failed: Int, requests: Int, drain: Duration) {
            self.usual_ms = usual_ms
            self.stalled_ms = stalled_ms
            self.failed = failed
            self.requests = requests
            self.drain = drain
        }
    }

    /// - Parameters:
    ///   - length: how long the database is stalled; half of that is measured before and after.
    /// - Throws: `DrillError`, or what the private stack says.
    package func run(_ length: Duration) async throws -> Outcome {
        let load = MixedLoad(gateway: gateway)
        do {
            try await load.prepare()
            let outcome = try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { await load.run() }
                defer { load.stop() }
                return try await measure(load, length)
            }
            await load.close()
            return outcome
        } catch {
            load.stop()
            // Never left stalled.
            _ = try? await control.perform(.continue, on: Self.unit)
            await load.close()
            throw error
        }
    }

    private func measure(_ load: MixedLoad, _ length: Duration) async throws -> Outcome {
        try await Task.sleep(for: Self.settling)
        let before = load.elapsed
        narrate("Load for \(length.components.seconds / 2) s")
        try await Task.sleep(for: length / 2)
        let stalled = load.elapsed
        narrate("The audit database is stalled for \(length.components.seconds) s")
        try await control.perform(.pause, on: Self.unit)
        try await Task.sleep(for: length)
        let resumed = load.elapsed
        let heads = try await heads()
        try await control.perform(.continue, on: Self.unit)
        narrate("The trail catches up, and \(length.components.seconds / 2) s more")
        let start = ContinuousClock.now
        try await drained(heads)
        let drain = ContinuousClock.now - start
        try await Task.sleep(for: Self.settling)
        let after = load.elapsed
        try await Task.sleep(for: length / 2)
        let end = load.elapsed
        load.stop()
        let samples = load.ledger.samples
        func p99(_ spans: ClosedRange<Double>...) -> Double {
            let all = samples.filter { sample in spans.contains { $0.contains(sample.at) } }.map(\.latency_ms).sorted()
            return all.isEmpty ? 0 : all[all.count * 99 / 100]
        }
        return Outcome(
            usual_ms: p99(before...stalled, after...end), stalled_ms: p99(stalled...resumed),
            failed: samples.count { $0.outcome != .works }, requests: samples.count, drain: drain)
    }

    /// Where each source's stream will end when all that is committed now has been numbered.
    private func heads() async throws -> [String: Int64] {
        var heads: [String: Int64] = [:]
        for (uri, database) in sources {
            let rows = try await database.query(
                "SELECT position + (SELECT count(*) FROM outbox) AS position FROM stream_head",
                deadline: .after(.seconds(5)))
            heads[uri] = try rows.first?.decode(Int64.self, "position") ?? 0
        }
        return heads
    }

    private func drained(_ heads: [String: Int64]) async throws {
        let deadline = Deadline.after(.seconds(600))
        while !deadline.hasPassed {
            let rows =
                (try? await audit.query("SELECT source, complete_to FROM audit_streams", deadline: .after(.seconds(5))))
                .map(Array.init) ?? []
            let complete = try rows.reduce(into: [String: Int64]()) { all, row in
                all[try row.decode(String.self, "source")] = try row.decode(Int64.self, "complete_to")
            }
            if heads.allSatisfy({ complete[$0.key] ?? 0 >= $0.value }) { return }
            try await Task.sleep(for: .milliseconds(50))
        }
        throw DrillError("What waited for the audit database had not arrived after ten minutes.")
    }
}
