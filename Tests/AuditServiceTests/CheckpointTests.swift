import AuditService
import ConnectionKit
import Contracts
import Foundation
import MicroMiddleware
import Postgres
import TestSupport
import Testing

/// What a superuser does who has switched the triggers off, against what was signed and kept elsewhere.
@Suite("Checkpoints")
struct CheckpointTests {
    let ring: KeyRing
    let copies: CheckpointCopies
    let directory: String

    init() throws {
        ring = try KeyRing.ephemeral()
        directory = try TestDirectory.make("checkpoints") + "/copies"
        copies = try CheckpointCopies(directory: directory)
    }

    /// A trail of 60 records that was signed at 20, 40 and 60.
    private func signedTrail() async throws -> AuditFixture {
        let fixture = try await AuditFixture.make()
        let events = try makeStream(60)
        for start in stride(from: 0, to: 60, by: 20) {
            try await fixture.store(Array(events[start..<(start + 20)]))
            try copies.append(try #require(try await sign(fixture)))
        }
        #expect(try await verify(fixture).faults.isEmpty)
        return fixture
    }

    private func sign(_ fixture: AuditFixture) async throws -> Checkpoint? {
        try await CheckpointStore(fixture.database, ring: ring).make(
            for: DefaultTenant.id, deadline: .after(.seconds(20)))
    }

    private func verify(_ fixture: AuditFixture, withCopies: Bool = true) async throws -> TrailVerification {
        try await TrailVerifier(fixture.database, ring: ring, copies: withCopies ? copies : nil).verify(
            DefaultTenant.id, deadline: .after(.seconds(20)))
    }

    private func tamper(_ fixture: AuditFixture, _ statements: SQL...) async throws {
        try await fixture.database.withTransaction(deadline: .after(.seconds(20))) { connection in
            try await connection.query("SET LOCAL session_replication_role = replica")
            for statement in statements { try await connection.query(statement) }
        }
    }

    @Test("A whole trail agrees with every checkpoint, each is in the copies, and nothing new is not signed again")
    func whole() async throws {
        let fixture = try await signedTrail()
        let found = try await verify(fixture)
        #expect((found.records, found.checkpoints, found.copies) == (60, 3, 3))
        #expect(try await sign(fixture) == nil)
        let outbox = try await fixture.query("SELECT type FROM outbox")
        #expect(try outbox.column("type", as: String.self) == Array(repeating: "audit.checkpoint.signed", count: 3))
    }

    @Test("A tenant is known by its head, its checkpoints, its records or a copy, and by nothing else")
    func known() async throws {
        let fixture = try await signedTrail()
        let (with, without) = (
            TrailVerifier(fixture.database, ring: ring, copies: copies),
            TrailVerifier(fixture.database, ring: ring, copies: nil)
        )
        let deadline = Deadline.after(.seconds(20))
        #expect(try await !with.knows(.v7(), deadline: deadline))
        for table: SQL in ["audit_chains", "audit_checkpoints", "audit_records"] {
            #expect(try await without.knows(DefaultTenant.id, deadline: deadline))
            try await tamper(fixture, "DELETE FROM \(table)")
        }
        #expect(try await !without.knows(DefaultTenant.id, deadline: deadline))
        #expect(try await without.tenants(deadline: deadline).isEmpty)
        #expect(try await with.knows(DefaultTenant.id, deadline: deadline))
    }

    @Test("A tenant is visited when it has news, and a checkpoint's own record is none")
    func news() async throws {
        let fixture = try await AuditFixture.make()
        let store = CheckpointStore(fixture.database, ring: ring)
        let deadline = Deadline.after(.seconds(20))
        #expect(try await store.tenantsWithNews(deadline: deadline).isEmpty)
        let events = try makeStream(3)
        try await fixture.store(Array(events[..<2]))
        #expect(try await store.tenantsWithNews(deadline: deadline) == [DefaultTenant.id])
        _ = try #require(try await sign(fixture))
        #expect(try await store.tenantsWithNews(deadline: deadline).isEmpty)
        try await tamper(fixture, "UPDATE audit_checkpoints SET tree_size = 1")
        #expect(try await store.tenantsWithNews(deadline: deadline) == [DefaultTenant.id])
        try await tamper(fixture, "UPDATE audit_records SET action = 'audit.checkpoint.signed' WHERE sequence = 2")
        #expect(try await store.tenantsWithNews(deadline: deadline).isEmpty)
    }

    @Test(
        "A record changed, removed, put in or moved is named",
        arguments: [
            ("UPDATE audit_records SET message = 'x' WHERE sequence = 33", "altered"),
            ("DELETE FROM audit_records WHERE sequence = 33", "missing"),
            ("UPDATE audit_records SET sequence = 67 - sequence WHERE sequence IN (33, 34)", "reordered"),
            (
                """
                INSERT INTO audit_records SELECT (jsonb_populate_record(r, jsonb_build_object('id', gen_random_uuid()))).*
                FROM audit_records r WHERE sequence = 33
                """, "inserted"
            ),
        ])
    func records(statement: String, kind: String) async throws {
        let fixture = try await signedTrail()
        try await fixture.database.withTransaction(deadline: .after(.seconds(20))) { connection in
            try await connection.execute(script: "SET LOCAL session_replication_role = replica; \(statement)")
        }
        let fault = try #require(try await verify(fixture).faults.first)
        #expect(fault.kind == kind)
        #expect(fault.sequence == 33)
        #expect(kind == "missing" || fault.recordID != nil)
        #expect(fault.expected != nil && fault.found != nil)
    }

    @Test(
        "Where one page of records ends and the next begins, nothing gets lost",
        arguments: [
            (1_000, "UPDATE audit_records SET message = 'x' WHERE sequence = 1000", "altered"),
            (1_001, "UPDATE audit_records SET message = 'x' WHERE sequence = 1001", "altered"),
            (1_000, "DELETE FROM audit_records WHERE sequence BETWEEN 1000 AND 3050", "missing"),
            (2_001, "DELETE FROM audit_records WHERE sequence = 2001", "missing"),
            (
                1_000,
                """
                INSERT INTO audit_records SELECT (jsonb_populate_record(r, jsonb_build_object('id', gen_random_uuid()))).*
                FROM audit_records r WHERE sequence = 1000
                """, "inserted"
            ),
            (3_101, "UPDATE audit_chains SET sequence = 3101", "truncated"),
            (3_100, "UPDATE audit_chains SET sequence = 3099", "beyondHead"),
        ])
    func pages(sequence: Int64, statement: String, kind: String) async throws {
        let fixture = try await AuditFixture.make()
        let events = try makeStream(3_100)
        for start in stride(from: 0, to: 3_000, by: 1_000) {
            try await fixture.store(Array(events[start..<(start + 1_000)]))
        }
        try await fixture.store(Array(events[3_000...]))
        #expect(try await verify(fixture, withCopies: false).records == 3_100)
        try await fixture.database.withTransaction(deadline: .after(.seconds(20))) { connection in
            try await connection.execute(script: "SET LOCAL session_replication_role = replica; \(statement)")
        }
        let fault = try #require(try await verify(fixture, withCopies: false).faults.first)
        #expect((fault.kind, fault.sequence) == (kind, sequence))
    }

    @Test("A truncated table is found")
    func truncatedTable() async throws {
        let fixture = try await signedTrail()
        try await fixture.query("ALTER TABLE audit_records DISABLE TRIGGER ALL")
        let partitions = try await fixture.query(
            "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'audit_records'::regclass")
        for name in try partitions.column("name", as: String.self) {
            try await fixture.database.withConnection(deadline: .after(.seconds(10))) { connection in
                try await connection.execute(script: "ALTER TABLE \(name) DISABLE TRIGGER ALL")
            }
        }
        try await fixture.query("TRUNCATE audit_records")
        let fault = try #require(try await verify(fixture, withCopies: false).faults.first)
        #expect(fault.kind == "truncated" && fault.sequence == 1)
    }

    @Test("Partitions that changed places are found, and the first record in the wrong one is named")
    func swappedPartitions() async throws {
        let fixture = try await AuditFixture.make()
        for (time, source) in [("2026-10-10T00:00:00Z", EventSource.identity), ("2026-11-10T00:00:00Z", .session)] {
            try await fixture.store(
                try makeStream(10, source: source, time: try #require(EventTime(time)).date))
        }
        #expect(try await verify(fixture).faults.isEmpty)
        try await tamper(
            fixture, "ALTER TABLE audit_records_2026_10 RENAME TO swapped",
            "ALTER TABLE audit_records_2026_11 RENAME TO audit_records_2026_10",
            "ALTER TABLE swapped RENAME TO audit_records_2026_11")
        let fault = try #require(try await verify(fixture).faults.first)
        #expect(fault.kind == "misplaced" && fault.sequence == 1 && fault.recordID != nil)
        #expect(fault.found?.hasPrefix("audit_records_2026_11, whose bounds are FOR VALUES FROM ('2026-10-01") == true)
    }

    @Test("A tail cut off together with the head and the checkpoints is found by the copies, and by them alone")
    func cutTail() async throws {
        let fixture = try await signedTrail()
        try await tamper(
            fixture, "DELETE FROM audit_records WHERE sequence > 45",
            "UPDATE audit_chains SET sequence = 45, hash = (SELECT hash FROM audit_records WHERE sequence = 45)",
            "DELETE FROM audit_checkpoints WHERE tree_size > 45")
        let found = try await verify(fixture)
        #expect(Set(found.faults.map(\.kind)) == ["checkpointRemoved", "truncated"])
        #expect(found.faults.contains { $0.kind == "truncated" && $0.sequence == 46 })
        #expect(try await verify(fixture, withCopies: false).faults.isEmpty)
    }

    @Test("Truncated, the trail still was signed for")
    func emptied() async throws {
        let fixture = try await signedTrail()
        try await tamper(fixture, "DELETE FROM audit_records", "DELETE FROM audit_chains")
        let found = try await verify(fixture, withCopies: false)
        #expect(found.faults.map(\.kind) == ["truncated"] && found.faults.first?.sequence == 1)
    }

    @Test("A chain written anew, every link right, is found by the checkpoints that were signed before")
    func rewritten() async throws {
        _ = try await signedTrail()
        let other = try await AuditFixture.make()
        try await other.store(try makeStream(60, data: EventDetail(status: .success, message: "nothing happened")))
        var reader = try #require(copies.reader(of: DefaultTenant.id))
        while let statement = try reader.next() {
            let checkpoint = try Checkpoint(statement: statement, ring: ring)
            try await other.query(
                """
                INSERT INTO audit_checkpoints VALUES (\(checkpoint.tenantID), \(checkpoint.treeSize),
                    \(checkpoint.rootHash), \(checkpoint.chainHash), \([UInt8]()), now(), \(statement))
                """)
        }
        let fault = try #require(try await verify(other).faults.first)
        #expect(fault.kind == "rewritten")
    }

    @Test("A checkpoint replaced, removed or forged is named")
    func checkpoints() async throws {
        let removed = try await signedTrail()
        try await tamper(removed, "DELETE FROM audit_checkpoints WHERE tree_size = 40")
        #expect(try await verify(removed).faults.map(\.kind) == ["checkpointRemoved"])

        let forged = try await AuditFixture.make()
        try await forged.store(try makeStream(10))
        let stranger = try KeyRing.ephemeral()
        _ = try await CheckpointStore(forged.database, ring: stranger).make(
            for: DefaultTenant.id, deadline: .after(.seconds(20)))
        #expect(try await verify(forged, withCopies: false).faults.map(\.kind) == ["checkpointForged"])

        let changed = try await AuditFixture.make()
        try await changed.store(try makeStream(10))
        _ = try await sign(changed)
        try await tamper(changed, "UPDATE audit_checkpoints SET root_hash = sha256('x')")
        #expect(try await verify(changed, withCopies: false).faults.map(\.kind) == ["checkpointForged"])
    }

    @Test("A checkpoint that was replaced by another of ours is found by its copy, which then counts")
    func replaced() async throws {
        let fixture = try await signedTrail()
        let other = try Checkpoint(
            tenantID: DefaultTenant.id, treeSize: 40, rootHash: MerkleTree.leaf([1]), chainHash: MerkleTree.leaf([2]),
            signedAt: Date(), ring: ring)
        try await tamper(
            fixture,
            """
            UPDATE audit_checkpoints SET root_hash = \(other.rootHash), chain_hash = \(other.chainHash),
                statement = \(other.statement) WHERE tree_size = 40
            """)
        let found = try await verify(fixture)
        #expect(found.faults.map(\.kind) == ["checkpointReplaced"])
        #expect(found.faults.first?.sequence == 40)
        #expect((found.checkpoints, found.copies) == (3, 2))
        // Nothing but the records contradicts it where there is no copy.
        #expect(try await verify(fixture, withCopies: false).faults.map(\.kind) == ["rewritten"])
    }

    @Test("More checkpoints than a window holds are merged with copies that are not in order", .timeLimit(.minutes(3)))
    func windows() async throws {
        let fixture = try await AuditFixture.make()
        let count = 2_300
        try await fixture.store(try makeStream(count))
        // As if one had been signed for each record: the roots are taken on the way.
        let rows = try await fixture.query("SELECT hash FROM audit_records ORDER BY sequence")
        var tree = MerkleFrontier()
        var made: [Checkpoint] = []
        for row in rows {
            let hash = try row.decode([UInt8].self, "hash")
            tree.append(hash)
            made.append(
                try Checkpoint(
                    tenantID: DefaultTenant.id, treeSize: tree.size, rootHash: tree.root, chainHash: hash,
                    signedAt: Date(), ring: ring))
        }
        try await fixture.query(
            """
            INSERT INTO audit_checkpoints
                (tenant_id, tree_size, root_hash, chain_hash, frontier, signed_at, statement)
            SELECT \(DefaultTenant.id), size, root, head, ''::bytea, now(), statement
            FROM unnest(\(made.map(\.treeSize)), \(made.map(\.rootHash)), \(made.map(\.chainHash)),
                \(made.map(\.statement))) AS made(size, root, head, statement)
            """)
        // The fiftieth is copied last.
        let lines = made.filter { $0.treeSize != 50 } + [made[49]]
        try lines.map { $0.statement + "\n" }.joined().write(
            toFile: "\(directory)/\(DefaultTenant.id.text).jws", atomically: true, encoding: .utf8)
        let whole = try await verify(fixture)
        #expect(whole.faults.isEmpty)
        #expect((whole.records, whole.checkpoints, whole.copies) == (Int64(count), count, count))
        try await tamper(
            fixture, "DELETE FROM audit_checkpoints WHERE tree_size IN (50, 1500, 2300)",
            "UPDATE audit_records SET message = 'x' WHERE sequence = 2250")
        let found = try await verify(fixture).faults
        #expect(
            found.map { "\($0.kind) \($0.sequence)" } == [
                "checkpointRemoved 50", "checkpointRemoved 1500", "altered 2250", "checkpointRemoved 2300",
            ])
    }

    @Test("A broken chain is not signed")
    func unsigned() async throws {
        let fixture = try await signedTrail()
        try await fixture.store(Array(try makeStream(70)[60...]))
        try await tamper(fixture, "DELETE FROM audit_records WHERE sequence = 65")
        await #expect(throws: CheckpointError.self) { try await sign(fixture) }
    }

    @Test("Checkpoints cannot be changed by the service's own role")
    func appendOnly() async throws {
        let fixture = try await signedTrail()
        for statement: SQL in [
            "UPDATE audit_checkpoints SET statement = 'x'", "DELETE FROM audit_checkpoints",
            "TRUNCATE audit_checkpoints",
        ] {
            await #expect(throws: PostgresError.self) { try await fixture.query(statement) }
        }
    }
}
