import AuditService
import ConnectionKit
import Contracts
import Foundation
import MicroMiddleware
import Postgres
import TestSupport
import Testing

/// Records go by whole months, and the trail is as provable afterwards as it was before.
@Suite("Retention")
struct RetentionTests {
    let ring: KeyRing
    let copies: CheckpointCopies

    init() throws {
        ring = try KeyRing.ephemeral()
        copies = try CheckpointCopies(directory: try TestDirectory.make("retention") + "/copies")
    }

    private var deadline: Deadline { .after(.seconds(30)) }

    /// Records of January and February 2024 and of now, not in that order: some of January came late.
    private func trail(_ count: Int = 6) async throws -> AuditFixture {
        let fixture = try await AuditFixture.make()
        for (source, time) in [
            (EventSource.identity, "2024-01-10T00:00:00Z"), (.session, "2024-02-10T00:00:00Z"),
            (.profile, "2024-01-20T00:00:00Z"),
        ] {
            try await fixture.store(
                try makeStream(count, source: source, time: try #require(EventTime(time)).date))
        }
        try await fixture.store(try makeStream(count, source: .mfa))
        return fixture
    }

    private func sign(_ fixture: AuditFixture) async throws -> Checkpoint {
        let made = try await CheckpointStore(fixture.database, ring: ring).make(
            for: DefaultTenant.id, deadline: deadline)
        let checkpoint = try #require(made)
        try copies.append(checkpoint)
        return checkpoint
    }

    private func verify(_ fixture: AuditFixture) async throws -> TrailVerification {
        try await TrailVerifier(fixture.database, ring: ring, copies: copies).verify(
            DefaultTenant.id, deadline: deadline)
    }

    private func retention(_ fixture: AuditFixture, months: Int? = nil) -> AuditRetention {
        AuditRetention(fixture.database, configuredMonths: months)
    }

    @Test("What is older than the policy goes, month by month, and every proof stays", .timeLimit(.minutes(2)))
    func drops() async throws {
        let fixture = try await trail(700)
        let size = try await sign(fixture).treeSize
        let store = CheckpointStore(fixture.database, ring: ring)
        func proofs() async throws -> [[MerkleTree.Hash]?] {
            var all: [[MerkleTree.Hash]?] = []
            for index: Int64 in [0, 650, 1_024, 1_500, size - 1] {
                all.append(
                    try await store.roots(
                        of: MerkleTree.inclusionRanges(of: index, in: size), tenantID: DefaultTenant.id,
                        deadline: deadline))
            }
            for first: Int64 in [1, 3, 700, 1_025, 2_100] {
                all.append(
                    try await store.roots(
                        of: MerkleTree.consistencyRanges(from: first, to: size), tenantID: DefaultTenant.id,
                        deadline: deadline))
            }
            return all
        }
        let before = try await proofs()
        #expect(before.allSatisfy { $0 != nil })

        #expect(try await retention(fixture).apply(deadline: deadline).isEmpty)
        let gone = try await retention(fixture, months: 12).apply(deadline: deadline)
        #expect(gone.map(\.month) == ["2024-01", "2024-02"])
        #expect(gone.map(\.records) == [1_400, 700])
        #expect(try await fixture.count() == 700)
        #expect(try await retention(fixture, months: 12).apply(deadline: deadline).isEmpty)

        #expect(try await proofs() == before)
        let found = try await verify(fixture)
        #expect(found.faults.isEmpty, "\(found.faults)")
        #expect((found.records, found.dropped, found.checkpoints, found.copies) == (2_800, 2_100, 1, 1))
        let chain = try await fixture.verify()
        #expect(chain.verified == 2_800 && chain.fault == nil)
        // It grows on, and what comes is signed as ever.
        try await fixture.store(try makeStream(3, source: .audit))
        #expect(try await sign(fixture).treeSize == 2_803)
        #expect(try await verify(fixture).faults.isEmpty)
        let events = try await fixture.query("SELECT subject FROM outbox WHERE type = 'audit.retention.dropped'")
        #expect(try events.column("subject", as: String.self).sorted() == ["2024-01", "2024-02"])
    }

    @Test(
        "What has not been signed for stays, and what is younger than the floor, whoever asks", .timeLimit(.minutes(2)))
    func refuses() async throws {
        let fixture = try await trail()
        await #expect(throws: PostgresError.self) {
            try await retention(fixture, months: 12).apply(deadline: deadline)
        }
        #expect(try await fixture.count() == 24)
        _ = try await sign(fixture)
        for call: SQL in [
            "SELECT audit_drop_month('2024-01-01', 11)", "SELECT audit_drop_month('2024-01-01', NULL)",
            "SELECT audit_drop_month(now()::date, 12)",
            "SELECT audit_drop_month((now() - interval '12 months')::date, 12)",
            "UPDATE audit_retention SET keep_months = 11",
        ] {
            await #expect(throws: PostgresError.self, "\(call.text)") { try await fixture.query(call) }
        }
        #expect(try await fixture.count() == 24)
        // A configuration below the floor is raised to it.
        #expect(try await retention(fixture, months: 1).policy(deadline: deadline).keepMonths == 12)
    }

    @Test("The policy of an administrator holds over the configuration, and is an event", .timeLimit(.minutes(2)))
    func policy() async throws {
        let fixture = try await trail()
        _ = try await sign(fixture)
        let retention = retention(fixture, months: 12)
        try await retention.set(keepMonths: nil, by: .v7(), requestID: nil, deadline: deadline)
        #expect(try await retention.policy(deadline: deadline).keepMonths == nil)
        #expect(try await retention.apply(deadline: deadline).isEmpty)
        await #expect(throws: PostgresError.self) {
            try await retention.set(keepMonths: 11, by: .v7(), requestID: nil, deadline: deadline)
        }
        try await retention.set(keepMonths: 24, by: .v7(), requestID: nil, deadline: deadline)
        // Two years before March 2026: January goes, February stays.
        let now = try #require(EventTime("2026-02-03T00:00:00Z")).date
        #expect(try await retention.apply(now: now, deadline: deadline).map(\.month) == ["2024-01"])
        let events = try await fixture.query(
            "SELECT type FROM outbox WHERE type LIKE 'audit.retention%' ORDER BY ordinal")
        #expect(
            try events.column("type", as: String.self) == [
                "audit.retention.changed", "audit.retention.changed", "audit.retention.dropped",
            ])
    }

    @Test("An event that comes when its month has gone is refused for good", .timeLimit(.minutes(2)))
    func late() async throws {
        let fixture = try await trail()
        _ = try await sign(fixture)
        _ = try await retention(fixture, months: 12).apply(deadline: deadline)
        let late = try makeStream(1, source: .audit, time: try #require(EventTime("2024-01-30T00:00:00Z")).date)
        for store in [fixture.store, AuditStore(fixture.database)] {
            let error = await #expect(throws: PostgresError.self) { try await store.store(late, deadline: deadline) }
            #expect(error?.isAboutData == true)
        }
    }

    @Test(
        "Whoever changes what was kept, or drops records without a word, is found",
        arguments: [
            (
                "UPDATE audit_dropped_leaves SET hashes = sha256('x') || substr(hashes, 33) WHERE first_sequence = 1",
                "rewritten", 1
            ),
            (
                "UPDATE audit_dropped_leaves SET hashes = substr(hashes, 1, 160) || sha256('x') WHERE first_sequence = 13",
                "unlinked", 19
            ),
            ("DELETE FROM audit_dropped_leaves WHERE first_sequence = 7", "missing", 7),
            ("DELETE FROM outbox WHERE subject = '2024-02'", "droppedUnaccounted", 7),
        ] as [(String, String, Int64)])
    func tampered(statement: String, kind: String, sequence: Int64) async throws {
        let fixture = try await trail()
        _ = try await sign(fixture)
        _ = try await retention(fixture, months: 12).apply(deadline: deadline)
        #expect(try await verify(fixture).faults.isEmpty)
        try await fixture.database.withTransaction(deadline: deadline) { connection in
            try await connection.execute(script: "SET LOCAL session_replication_role = replica; \(statement)")
        }
        let fault = try #require(try await verify(fixture).faults.first)
        #expect((fault.kind, fault.sequence) == (kind, sequence), "\(fault)")
    }
}
