import AuditService
import ConnectionKit
import Contracts
import Foundation
import Logging
import MicroMiddleware
import Postgres

/// From the outbox to the chained audit record, through the running suite: relay, broker, consumer, both databases. And how
/// fast the trail that this makes is verified.
package struct EventBench: Sendable {
    private static let throughputGoal = 4_000.0
    private static let latencyGoal_ms = 250.0
    private static let verifyGoal = 100_000.0

    private static let burst = 60_000
    private static let pacedSeconds = 10
    /// Each ten milliseconds: 1,000 a second.
    private static let pacedBatch = 10

    private let identityDatabase: String
    private let auditDatabase: String

    /// - Parameters: libpq's URLs of the two services' databases.
    package init(identityDatabase: String, auditDatabase: String) {
        self.identityDatabase = identityDatabase
        self.auditDatabase = auditDatabase
    }

    package func run() async throws -> [BenchResult] {
        let identity = try Self.client(identityDatabase)
        let audit = try Self.client(auditDatabase)
        let tenant = UUID()
        do {
            let rate = try await throughput(tenant, identity, audit)
            let latency = try await pacedLatency(UUID(), identity, audit)
            let verified = try await verification(tenant, audit)
            await identity.close()
            await audit.close()
            return [
                BenchResult(
                    name: "Events from the outbox to the chained audit record", value: rate, unit: "1/s",
                    goal: "≥ \(Int(Self.throughputGoal))/s", passes: rate >= Self.throughputGoal),
                BenchResult(
                    name: "The same at 1,000 a second, p99", value: latency, unit: "ms",
                    goal: "< \(Int(Self.latencyGoal_ms)) ms", passes: latency < Self.latencyGoal_ms),
                BenchResult(
                    name: "Audit records verified", value: verified, unit: "1/s", goal: "≥ \(Int(Self.verifyGoal))/s",
                    passes: verified >= Self.verifyGoal),
            ]
        } catch {
            await identity.close()
            await audit.close()
            throw error
        }
    }

    private static func client(_ url: String) throws -> PostgresClient {
        var configuration = try PostgresConfiguration(url: url)
        configuration.poolSize = 2
        return PostgresClient(configuration: configuration, logger: Logger(label: "bench"))
    }

    /// All at once, so that nothing but the path itself limits the rate.
    private func throughput(_ tenant: UUID, _ identity: PostgresClient, _ audit: PostgresClient) async throws -> Double
    {
        let start = ContinuousClock.now
        try await Self.append(Self.burst, tenant, identity)
        let deadline = Deadline.after(.seconds(120))
        while try await Self.recorded(tenant, audit) < Self.burst {
            guard !deadline.hasPassed else {
                throw BenchFailure(description: "\(Self.burst) events took over 2 minutes")
            }
            try await Task.sleep(for: .milliseconds(20))
        }
        return Double(Self.burst) / ((ContinuousClock.now - start) / .seconds(1))
    }

    /// - Returns: the 99th percentile from commit to visible in the trail, in milliseconds.
    private func pacedLatency(_ tenant: UUID, _ identity: PostgresClient, _ audit: PostgresClient) async throws
        -> Double
    {
        let total = Self.pacedSeconds * 100 * Self.pacedBatch
        async let seen = Self.watch(tenant, until: total, audit)
        var committed: [ContinuousClock.Instant] = []
        let start = ContinuousClock.now
        for number in 0..<(Self.pacedSeconds * 100) {
            try await Task.sleep(until: start + .milliseconds(10 * number), clock: .continuous)
            try await Self.append(Self.pacedBatch, tenant, identity)
            committed.append(.now)
        }
        let sightings = try await seen
        var latencies: [Double] = []
        var next = 0
        for (count, time) in sightings {
            while next < count {
                latencies.append((time - committed[next / Self.pacedBatch]) / .milliseconds(1))
                next += 1
            }
        }
        latencies.sort()
        return latencies[latencies.count * 99 / 100]
    }

    /// How many records there were, and when that was first seen.
    private static func watch(
        _ tenant: UUID, until total: Int, _ audit: PostgresClient
    ) async throws -> [(count: Int, time: ContinuousClock.Instant)] {
        var sightings: [(count: Int, time: ContinuousClock.Instant)] = []
        let deadline = Deadline.after(.seconds(60))
        while sightings.last?.count ?? 0 < total {
            guard !deadline.hasPassed else { throw BenchFailure(description: "the trail fell behind 1,000 events/s") }
            let count = try await recorded(tenant, audit)
            if count > sightings.last?.count ?? 0 { sightings.append((count, .now)) }
            try await Task.sleep(for: .milliseconds(2))
        }
        return sightings
    }

    private func verification(_ tenant: UUID, _ audit: PostgresClient) async throws -> Double {
        let verifier = TrailVerifier(audit, ring: try KeyRing.ephemeral(), copies: nil)
        let start = ContinuousClock.now
        let result = try await verifier.verify(tenant, deadline: .after(.seconds(120)))
        let took = (ContinuousClock.now - start) / .seconds(1)
        let faults = result.faults.filter { $0.kind != "checkpointForged" }
        guard faults.isEmpty, result.records == Int64(Self.burst) else {
            throw BenchFailure(description: "the trail that was made does not verify: \(faults)")
        }
        return Double(result.records) / took
    }

    private static func append(_ count: Int, _ tenant: UUID, _ identity: PostgresClient) async throws {
        let data = #"{"actor_type":"service","status":"success","message":"measured"}"#
        try await identity.query(
            """
            INSERT INTO outbox (id, type, subject, tenant_id, occurred_at, data)
            SELECT gen_random_uuid(), \(EventType.userUpdated.rawValue)::text, number::text, \(tenant),
                clock_timestamp(), \(data)::json FROM generate_series(1, \(count)) AS number
            """, deadline: .after(.seconds(30)))
    }

    private static func recorded(_ tenant: UUID, _ audit: PostgresClient) async throws -> Int {
        let rows = try await audit.query(
            "SELECT sequence FROM audit_chains WHERE tenant_id = \(tenant)", deadline: .after(.seconds(10)))
        return try rows.first?.decode(Int.self, "sequence") ?? 0
    }
}
