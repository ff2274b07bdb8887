import AuditService
import ConnectionKit
import Contracts
import Foundation
import Logging
import MicroMiddleware
import Postgres
import TestSupport
import Testing

@Suite("Under the audit database's own policies")
struct RowSecurityTests {
    private let mine = UUID.v7()
    private let theirs = UUID.v7()
    private let ring: KeyRing
    private var soon: Deadline { .after(.seconds(30)) }

    init() throws {
        ring = try KeyRing.ephemeral()
    }

    @Test("Every table that has rows of tenants keeps them apart, and its owner too")
    func guarded() async throws {
        #expect(try await TestPostgres.policed(for: "audit").unguardedTables() == [])
    }

    @Test(
        "What is asked for one tenant shows nothing of another's, whatever the statement says",
        .timeLimit(.minutes(2)))
    func reading() async throws {
        let database = try await populated(by: [theirs])
        let forging = try await database.forging()
        // Of no tenant, the forged statement reaches everything.
        #expect(
            try await forging.query("SELECT FROM audit_records WHERE tenant_id = \(UUID())", deadline: soon).count == 9)

        let reader = AuditReader(forging)
        let found = try await reader.records(AuditQuery(tenantID: mine), page: Page(), deadline: soon)
        #expect(found.records.isEmpty && found.total == 0)
        #expect(try await reader.record(UUID(), tenantID: mine, deadline: soon) == nil)
        #expect(try await reader.record(at: 1, tenantID: mine, deadline: soon) == nil)
        #expect(try await reader.counts(AuditQuery(tenantID: mine), by: "action", deadline: soon).isEmpty)
        #expect(try await reader.chain(of: mine, deadline: soon).sequence == 0)
        let chain = try await reader.verify(tenantID: mine, deadline: soon)
        #expect(chain.verified == 0 && chain.fault == nil)

        let exporter = AuditExporter(forging)
        #expect(try await exporter.head(of: mine, deadline: soon) == 0)
        let exported = try await exporter.records(
            AuditQuery(tenantID: mine), after: 0, upTo: .max, deadline: soon)
        #expect(exported.isEmpty)
        #expect(try await exporter.dropped(of: mine, after: 0, upTo: .max, deadline: soon).isEmpty)
        #expect(try await exporter.checkpoints(of: mine, after: 0, upTo: .max, deadline: soon).isEmpty)

        let store = CheckpointStore(forging, ring: ring)
        #expect(try await store.checkpoint(of: mine, deadline: soon) == nil)
        let ranges = MerkleTree.inclusionRanges(of: 0, in: 9)
        #expect(try await store.roots(of: ranges, tenantID: mine, deadline: soon) == nil)

        // And of one's own as much as before.
        let theirOwn = try await reader.records(AuditQuery(tenantID: theirs), page: Page(), deadline: soon)
        #expect(theirOwn.total == 9)
    }

    @Test("Nothing is put into another tenant's trail, nor is anything of it moved")
    func intruding() async throws {
        let database = try await populated(by: [theirs])
        let event = try DomainEvent(
            type: .auditExported, subject: theirs.text, tenantID: theirs, data: EventDetail(status: .success))
        for statement: SQL in [
            """
            INSERT INTO audit_chains (tenant_id, sequence, hash) SELECT \(theirs), 99, sha256('x')
            ON CONFLICT (tenant_id) DO UPDATE SET sequence = 99
            """,
            "INSERT INTO audit_tree_blocks (tenant_id, block, root) SELECT \(theirs), 7, sha256('x')",
            "INSERT INTO audit_chains (tenant_id, sequence, hash) SELECT \(UUID()), 1, sha256('x')",
            Outbox.insertSQL(event),
        ] {
            let error = await #expect(throws: PostgresError.self, "\(statement)") {
                try await database.client.query(statement, actingFor: mine, deadline: soon)
            }
            #expect(error?.sqlState == "42501", "\(statement)")
        }
        try await database.client.query("UPDATE audit_chains SET sequence = 99", actingFor: mine, deadline: soon)
        #expect(try await AuditReader(database.all).chain(of: theirs, deadline: soon).sequence == 9)
    }

    @Test(
        "Whoever acts for no tenant sees all: months go, and a role that may only read verifies the rest",
        .timeLimit(.minutes(2)))
    func everything() async throws {
        let long = try #require(EventTime("2024-01-10T00:00:00Z")).date
        let database = try await populated(by: [mine, theirs], time: long)
        _ = try await AuditStore(database.client).store(
            try makeStream(8, source: .session, tenants: [mine, theirs]), deadline: soon)
        try await sign(database)
        let gone = try await AuditRetention(database.client, configuredMonths: 12).apply(deadline: soon)
        #expect(gone.map(\.records) == [18])

        let reader = try await readOnly(database)
        let verifier = TrailVerifier(reader, ring: ring, copies: nil)
        #expect(try await Set(verifier.tenants(deadline: soon)) == [mine, theirs])
        for tenant in [mine, theirs] {
            let found = try await verifier.verify(tenant, deadline: soon)
            #expect((found.records, found.dropped) == (13, 9))
            #expect(found.faults.isEmpty, "\(found.faults)")
        }
        await reader.close()
    }

    // MARK: - Parts

    /// Nine records of each tenant, signed for.
    private func populated(by tenants: [UUID], time: Date = Date()) async throws -> PolicedDatabase {
        let database = try await TestPostgres.policed(for: "audit")
        let events = try makeStream(9 * tenants.count, tenants: tenants, time: time)
        _ = try await AuditStore(database.client).store(events, deadline: soon)
        try await sign(database)
        return database
    }

    private func sign(_ database: PolicedDatabase) async throws {
        let store = CheckpointStore(database.client, ring: ring)
        for tenant in try await store.tenantsWithNews(deadline: soon) {
            #expect(try await store.make(for: tenant, deadline: soon) != nil)
        }
    }

    /// A role as an auditor's tool would have it.
    private func readOnly(_ database: PolicedDatabase) async throws -> PostgresClient {
        var configuration = database.client.configuration
        (configuration.user, configuration.password) = ("auditor", "a")
        try await database.all.withConnection(deadline: soon) { connection in
            try await connection.execute(
                script: """
                    CREATE ROLE auditor LOGIN PASSWORD 'a';
                    GRANT SELECT ON ALL TABLES IN SCHEMA public TO auditor;
                    """)
        }
        return PostgresClient(
            configuration: configuration, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }
}
