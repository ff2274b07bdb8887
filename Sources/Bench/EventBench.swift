import AuditService
import ConnectionKit
import Contracts
import Foundation
import Logging
import MicroMiddleware
import Postgres
import Synchronization

/// From the outbox to the chained audit record, through the running suite: relay, broker, consumer, both databases. And how
/// fast the trail that this makes is verified.
package struct EventBench: Sendable {
    private static let throughputGoal = 4_000.0
    private static let latencyGoal_ms = 250.0
    private static let verifyGoal = 100_000.0
    private static let memoryGoal_MiB = 16.0

    private static let burst = 60_000

    /// Events at a steady rate.
    private struct Feed {
        let seconds: Int
        /// Each ten milliseconds.
        let batch: Int
        var total: Int { seconds * 100 * batch }
    }

    /// Where events are fed, and of which type.
    private struct Source {
        let database: PostgresClient
        let type: EventType
    }

    private struct Databases {
        let session: PostgresClient
        let identity: PostgresClient
        let audit: PostgresClient

        func close() async {
            for database in [session, identity, audit] { await database.close() }
        }
    }

    private static let steady = Feed(seconds: 10, batch: 10)
    /// A tenth above the goal, so that who keeps up meets it.
    private static let sustained = Feed(seconds: 20, batch: 44)
    /// How many records the tenant has that gets the events that come at once and the sustained ones.
    private static let trail = burst + sustained.total

    private let sessionDatabase: String
    private let identityDatabase: String
    private let auditDatabase: String
    private let narrate: @Sendable (String) -> Void

    /// - Parameters:
    ///   - sessionDatabase: libpq's URL of the service's database, as the others.
    ///   - narrate: is told what is measured next.
    package init(
        sessionDatabase: String, identityDatabase: String, auditDatabase: String,
        narrate: @escaping @Sendable (String) -> Void
    ) {
        self.sessionDatabase = sessionDatabase
        self.identityDatabase = identityDatabase
        self.auditDatabase = auditDatabase
        self.narrate = narrate
    }

    package func run() async throws -> [BenchResult] {
        let databases = Databases(
            session: try Self.client(sessionDatabase), identity: try Self.client(identityDatabase),
            audit: try Self.client(auditDatabase))
        do {
            let results = try await measure(databases)
            await databases.close()
            return results
        } catch {
            await databases.close()
            throw error
        }
    }

    private func measure(_ databases: Databases) async throws -> [BenchResult] {
        let audit = databases.audit
        // What there is most of, by far; of the suite the trail alone takes it.
        let refreshes = Source(database: databases.session, type: .sessionRefreshed)
        // The session service hears of these too: the broker keeps each twice.
        let updates = Source(database: databases.identity, type: .userUpdated)
        let tenant = UUID()
        narrate("\(Self.burst) events at once")
        let rate = try await throughput(tenant, refreshes, audit)
        narrate("\(Self.steady.batch * 100) events a second for \(Self.steady.seconds) s")
        let latency = try await run(Self.steady, UUID(), refreshes, audit).p99_ms
        narrate("\(Self.sustained.batch * 100) events a second for \(Self.sustained.seconds) s")
        let feed = try await run(Self.sustained, tenant, refreshes, audit)
        narrate("\(Self.burst) events at once that two services hear of")
        let shared = try await throughput(UUID(), updates, audit)
        narrate("Verifying a trail of \(Self.trail), three times")
        var verified: [(rate: Double, growth_MiB: Double)] = []
        for _ in 0..<3 { verified.append(try await verification(tenant, audit)) }
        let verifyRates = verified.map(\.rate).sorted()
        let growth_MiB = verified.map(\.growth_MiB).max() ?? 0
        return [
            BenchResult(
                name: "Events from the outbox to the chained audit record, all at once", value: rate, unit: "1/s",
                goal: "≥ \(Int(Self.throughputGoal))/s", passes: rate >= Self.throughputGoal),
            BenchResult(
                name: "The same, fed for \(Self.sustained.seconds) s at \(Self.sustained.batch * 100) a second",
                value: feed.rate, unit: "1/s", goal: "≥ \(Int(Self.throughputGoal))/s",
                passes: feed.rate >= Self.throughputGoal),
            BenchResult(name: "Its p99 from commit to the trail", value: feed.p99_ms, unit: "ms"),
            BenchResult(
                name: "The same at 1,000 a second, p99", value: latency, unit: "ms",
                goal: "< \(Int(Self.latencyGoal_ms)) ms", passes: latency < Self.latencyGoal_ms),
            BenchResult(
                name: "Events that the session service takes as well, all at once", value: shared, unit: "1/s"),
            BenchResult(
                name: "Audit records verified, the median of three", value: verifyRates[1], unit: "1/s",
                goal: "≥ \(Int(Self.verifyGoal))/s", passes: verifyRates[1] >= Self.verifyGoal),
            BenchResult(name: "The slowest of the three", value: verifyRates[0], unit: "1/s"),
            BenchResult(
                name: "Memory that verifying \(Self.trail) records takes", value: growth_MiB, unit: "MiB",
                goal: "< \(Int(Self.memoryGoal_MiB)) MiB", passes: growth_MiB < Self.memoryGoal_MiB),
        ]
    }

    private static func client(_ url: String) throws -> PostgresClient {
        var configuration = try PostgresConfiguration(url: url)
        configuration.poolSize = 2
        return PostgresClient(configuration: configuration, logger: Logger(label: "bench"))
    }

    /// All at once, so that nothing but the path itself limits the rate.
    private func throughput(_ tenant: UUID, _ source: Source, _ audit: PostgresClient) async throws -> Double {
        let start = ContinuousClock.now
        try await Self.append(Self.burst, tenant, source)
        let deadline = Deadline.after(.seconds(120))
        while try await Self.recorded(tenant, audit) < Self.burst {
            guard !deadline.hasPassed else {
                throw BenchFailure(description: "\(Self.burst) events took over 2 minutes")
            }
            try await Task.sleep(for: .milliseconds(20))
        }
        return Double(Self.burst) / ((ContinuousClock.now - start) / .seconds(1))
    }

    /// - Returns: the 99th percentile from commit to visible in the trail, and the rate from the first commit to the last
    ///   record.
    private func run(
        _ feed: Feed, _ tenant: UUID, _ source: Source, _ audit: PostgresClient
    ) async throws -> (p99_ms: Double, rate: Double) {
        let before = try await Self.recorded(tenant, audit)
        async let seen = Self.watch(tenant, after: before, until: feed.total, audit)
        var times = FeedTimes(batch: feed.batch)
        let start = ContinuousClock.now
        for number in 0..<(feed.seconds * 100) {
            try await Task.sleep(until: start + .milliseconds(10 * number), clock: .continuous)
            try await Self.append(feed.batch, tenant, source)
            times.commit(at: .now)
        }
        let sightings = try await seen
        let latencies = times.latencies_ms(sightings)
        guard !latencies.isEmpty else { throw BenchFailure(description: "none of the feed was seen in the trail") }
        let end = sightings.last?.time ?? .now
        return (latencies[latencies.count * 99 / 100], Double(feed.total) / ((end - start) / .seconds(1)))
    }

    /// How many records there were more than before, and when that was first seen.
    private static func watch(
        _ tenant: UUID, after before: Int, until total: Int, _ audit: PostgresClient
    ) async throws -> [(count: Int, time: ContinuousClock.Instant)] {
        var sightings: [(count: Int, time: ContinuousClock.Instant)] = []
        let deadline = Deadline.after(.seconds(60))
        while sightings.last?.count ?? 0 < total {
            guard !deadline.hasPassed else { throw BenchFailure(description: "the trail fell behind the feed") }
            let count = try await recorded(tenant, audit) - before
            if count > sightings.last?.count ?? 0 { sightings.append((count, .now)) }
            try await Task.sleep(for: .milliseconds(2))
        }
        return sightings
    }

    /// - Returns: the rate, and by how much the process grew meanwhile at most.
    private func verification(
        _ tenant: UUID, _ audit: PostgresClient
    ) async throws -> (rate: Double, growth_MiB: Double) {
        let verifier = TrailVerifier(audit, ring: try KeyRing.ephemeral(), copies: nil)
        let size = Self.residentSize_MiB
        let peak = Mutex(size)
        let start = ContinuousClock.now
        let result = try await verifier.verify(tenant, deadline: .after(.seconds(120))) { _ in
            peak.withLock { $0 = max($0, Self.residentSize_MiB) }
        }
        let took = (ContinuousClock.now - start) / .seconds(1)
        let faults = result.faults.filter { $0.kind != "checkpointForged" }
        // And the records of its own checkpoints, one a minute.
        guard faults.isEmpty, result.records >= Int64(Self.trail) else {
            throw BenchFailure(
                description: "the trail that was made does not verify: \(result.records) records, \(faults)")
        }
        return (Double(result.records) / took, peak.withLock { $0 } - size)
    }

    /// What this process has in memory; pages of 4 KiB.
    private static var residentSize_MiB: Double {
        let statm = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)) ?? ""
        return statm.split(separator: " ").dropFirst().first.flatMap { Double($0) }.map { $0 / 256 } ?? 0
    }

    /// With ids as the services make them: by time (UUIDv7).
    private static func append(_ count: Int, _ tenant: UUID, _ source: Source) async throws {
        let data = #"{"actor_type":"service","status":"success","message":"measured"}"#
        try await source.database.query(
            """
            INSERT INTO outbox (id, type, subject, tenant_id, occurred_at, data)
            SELECT (lpad(to_hex((extract(epoch FROM clock_timestamp()) * 1000)::bigint), 12, '0') || '7'
                    || substr(md5(random()::text), 1, 3) || '8' || substr(md5(random()::text), 1, 15))::uuid,
                \(source.type.rawValue)::text, number::text, \(tenant),
                clock_timestamp(), \(data)::json FROM generate_series(1, \(count)) AS number
            """, deadline: .after(.seconds(30)))
    }

    /// How many of the events that were fed are in the tenant's chain. Each minute's checkpoint has a record there too, which
    /// is none of them.
    private static func recorded(_ tenant: UUID, _ audit: PostgresClient) async throws -> Int {
        let rows = try await audit.query(
            """
            SELECT sequence - (
                SELECT count(*) FROM audit_records
                WHERE tenant_id = \(tenant) AND action = \(EventType.checkpointSigned.rawValue)
            ) AS events FROM audit_chains WHERE tenant_id = \(tenant)
            """, deadline: .after(.seconds(10)))
        return try rows.first?.decode(Int.self, "events") ?? 0
    }
}
