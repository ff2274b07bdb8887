import AuditService
import ConnectionKit
import Contracts
import Foundation
import Logging
import MicroMiddleware
import Postgres
import TestSupport
import Testing

/// What the role that the service works as may do, and what it may not.
@Suite("The service's role")
struct AuditRoleTests {
    /// A database of an owner's, with a second role for the service.
    private struct Roles {
        let owner: PostgresConfiguration
        let service: PostgresClient

        private static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        static let directory = "\(AuditFixture.repository)/migrations/audit"

        static func make() async throws -> Roles {
            let postgres = try await TestPostgres.shared()
            let name = String(UUID().uuidString.lowercased().replacing("-", with: "").prefix(12))
            for sql in [
                "CREATE ROLE owner_\(name) LOGIN PASSWORD 'o'", "CREATE ROLE service_\(name) LOGIN PASSWORD 's'",
                "CREATE DATABASE audit_\(name) OWNER owner_\(name)",
            ] {
                try await postgres.execute(sql)
            }
            func configuration(_ role: String, _ password: String) throws -> PostgresConfiguration {
                try PostgresConfiguration(
                    url: "postgresql://\(role)_\(name):\(password)@127.0.0.1:\(postgres.port)/audit_\(name)")
            }
            return Roles(
                owner: try configuration("owner", "o"),
                service: PostgresClient(configuration: try configuration("service", "s"), logger: logger))
        }

        func migrate(_ directory: String = Roles.directory) async throws {
            let migration = AuditMigration(
                owner: owner, serviceRole: service.configuration.user, directory: directory, logger: Self.logger)
            try await migration.run(deadline: .after(.seconds(30)))
        }
    }

    @Test("It stores, chains, signs and reads; a database that it owned before goes on so", .timeLimit(.minutes(2)))
    func works() async throws {
        let roles = try await Roles.make()
        // The first three migrations are of the time when one role did everything.
        let old = try TestDirectory.make("migrations")
        for name in ["0001_outbox.sql", "0002_audit.sql", "0003_checkpoints.sql"] {
            try FileManager.default.copyItem(atPath: "\(Roles.directory)/\(name)", toPath: "\(old)/\(name)")
        }
        let owner = PostgresClient(
            configuration: roles.owner, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        try await PostgresMigrator(owner).migrate(try MigrationSet(directory: old), deadline: .after(.seconds(30)))
        let events = try makeStream(40)
        _ = try await AuditStore(owner).store(Array(events[..<20]), deadline: .after(.seconds(20)))
        await owner.close()

        for _ in 0..<2 { try await roles.migrate() }
        let store = AuditStore(roles.service)
        #expect(try await store.store(Array(events[20...]), deadline: .after(.seconds(20))).stored == 20)
        let far = try makeStream(1, source: .session, time: Date().addingTimeInterval(200 * 86_400))
        #expect(try await store.store(far, deadline: .after(.seconds(20))).stored == 1)
        let checkpoint = try await CheckpointStore(roles.service, ring: try KeyRing.ephemeral()).make(
            for: DefaultTenant.id, deadline: .after(.seconds(20)))
        #expect(checkpoint?.treeSize == 41)
        let found = try await AuditReader(roles.service).verify(
            tenantID: DefaultTenant.id, deadline: .after(.seconds(20)))
        #expect(found.verified == 41 && found.fault == nil)
        await roles.service.close()
    }

    @Test("Replicas that start at once migrate and grant without disturbing each other", .timeLimit(.minutes(2)))
    func together() async throws {
        let roles = try await Roles.make()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<6 { group.addTask { try await roles.migrate() } }
            try await group.waitForAll()
        }
        let rows = try await roles.service.query("SELECT FROM audit_records", deadline: .after(.seconds(10)))
        #expect(rows.isEmpty)
        await roles.service.close()
    }

    @Test("It can change, remove, hide or unprotect nothing of the trail", .timeLimit(.minutes(2)))
    func refused() async throws {
        let roles = try await Roles.make()
        try await roles.migrate()
        let time = try #require(EventTime("2026-11-10T00:00:00Z")).date
        _ = try await AuditStore(roles.service).store(try makeStream(3, time: time), deadline: .after(.seconds(20)))
        let tables = ["audit_records", "audit_records_2026_11", "audit_checkpoints"]
        let everywhere = tables.flatMap { table in
            [
                "UPDATE \(table) SET tenant_id = tenant_id", "DELETE FROM \(table)", "TRUNCATE \(table)",
                "DROP TABLE \(table)", "ALTER TABLE \(table) DISABLE TRIGGER ALL",
                "ALTER TABLE \(table) OWNER TO CURRENT_USER",
                "ALTER TABLE \(table) ADD COLUMN x int", "DROP TRIGGER audit_records_keep ON \(table)",
                "CREATE RULE r AS ON INSERT TO \(table) DO INSTEAD NOTHING", "GRANT ALL ON \(table) TO CURRENT_USER",
            ]
        }
        let further = [
            "DELETE FROM audit_chains", "UPDATE audit_chains SET sequence = 1",
            "ALTER TABLE audit_records DETACH PARTITION audit_records_2026_11",
            "INSERT INTO audit_records_2026_11 SELECT * FROM audit_records",
            "SET session_replication_role = replica", "SET ROLE \(roles.owner.user)", "DROP SCHEMA public CASCADE",
            "CREATE TABLE mine (n int)", "CREATE OR REPLACE FUNCTION audit_refuse() RETURNS trigger LANGUAGE sql AS ''",
            "DROP FUNCTION audit_refuse() CASCADE", "SELECT audit_grant_service(current_user)",
            "DELETE FROM schema_migrations",
        ]
        for statement in everywhere + further {
            await #expect(throws: PostgresError.self, "\(statement)") {
                try await roles.service.withConnection(deadline: .after(.seconds(10))) { connection in
                    try await connection.execute(script: statement)
                    // A grant that grants nothing is a warning alone.
                    if statement.hasPrefix("GRANT") { try await connection.query("DELETE FROM audit_records") }
                }
            }
        }
        let rows = try await roles.service.query("SELECT FROM audit_records", deadline: .after(.seconds(10)))
        #expect(rows.count == 3)
        await roles.service.close()
    }
}
