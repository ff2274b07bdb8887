import ConnectionKit
import Contracts
import Foundation
import IdentityService
import Logging
import MicroMiddleware
import Postgres
import TestSupport
import Testing

@Suite("Housekeeping in the identity database", .serialized)
struct HousekeepingTests {
    private let now = Date(timeIntervalSince1970: 1_800_000_000)
    private let day = 86_400.0
    private var soon: Deadline { .after(.seconds(20)) }

    @Test("deletes what its time is over of, and nothing else")
    func deletes() async throws {
        let (database, user) = try await makeUser()
        let ends: [(table: String, gone: Double, stays: Double)] = [
            ("codes", -1.1, -0.9), ("sent_mails", -7.1, -6.9), ("email_changes", -7.1, -6.9),
            ("exports", -0.01, 0.01), ("remembered_devices", -0.01, 0.01), ("invitations", -90.1, -89.9),
            ("deletions", -90.1, -89.9), ("unanswered_refreshes", -0.01, 0.01),
        ]
        for (table, gone, stays) in ends {
            for days in [gone, stays] {
                try await database.query(
                    Self.insertion(into: table, of: user, at: now + days * day), deadline: soon)
            }
        }
        // One that is not over yet has no time at all.
        try await database.query(
            "INSERT INTO deletions (id, user_id, tenant_id) VALUES (\(UUID.v7()), \(UUID.v7()), \(DefaultTenant.id))",
            deadline: soon)
        let metrics = MetricsRegistry()
        let housekeeping = Housekeeping(
            Sweep.identity, database: database,
            telemetry: Telemetry(service: "identity", level: .critical, metrics: metrics))
        for _ in 0..<2 { await housekeeping.sweep(now: now) }
        let text = metrics.prometheusText()
        for (table, _, _) in ends {
            #expect(text.contains("authms_housekeeping_deleted_total{table=\"\(table)\"} 1\n"), "\(table)")
        }
        #expect(!text.contains("authms_housekeeping_failures_total"))
        let left = try await database.query(
            """
            SELECT (SELECT count(*) FROM codes) + (SELECT count(*) FROM sent_mails)
                + (SELECT count(*) FROM email_changes) + (SELECT count(*) FROM exports)
                + (SELECT count(*) FROM remembered_devices) + (SELECT count(*) FROM invitations)
                + (SELECT count(*) FROM deletions) + (SELECT count(*) FROM unanswered_refreshes) AS count
            """, deadline: soon
        ).first?.decode(Int.self, "count")
        #expect(left == ends.count + 1)
    }

    @Test("goes on until a backlog is gone, and is not stopped by a table that is not there")
    func backlog() async throws {
        let (database, _) = try await makeUser()
        try await database.query(
            """
            INSERT INTO sent_mails (event_id, user_id, kind, sent_at)
            SELECT gen_random_uuid(), gen_random_uuid(), 'x', \(now - 8 * day)
            FROM generate_series(1, \(2 * Housekeeping.batch + 7))
            """, deadline: soon)
        let metrics = MetricsRegistry()
        let absent = Sweep("no_such_table") { now in "expires_at < \(now)" }
        await Housekeeping(
            [absent] + Sweep.identity, database: database,
            telemetry: Telemetry(service: "identity", level: .critical, metrics: metrics)
        ).sweep(now: now)
        let text = metrics.prometheusText()
        #expect(text.contains("authms_housekeeping_failures_total{table=\"no_such_table\"} 1\n"))
        #expect(text.contains("authms_housekeeping_deleted_total{table=\"sent_mails\"} 2007\n"))
    }

    @Test("leaves out no table whose rows expire")
    func complete() async throws {
        let (database, _) = try await makeUser()
        // A password that is over stays with its account.
        let expiring = try await Set(database.expiringTables(soon)).subtracting(["passwords"])
        #expect(expiring.isSubset(of: Sweep.identity.map(\.table)))
    }

    private func makeUser() async throws -> (PostgresClient, UUID) {
        let (database, tenancy) = try await IdentityStore.makePostgres()
        let user = try await Registration(repository: tenancy.repository, hasher: CountingHasher()).register(
            RegistrationForm(username: "ann", password: "correct horse"), origin: makeOrigin())
        return (database, user.id)
    }

    private static func insertion(into table: String, of user: UUID, at time: Date) throws -> SQL {
        let (id, tenant, bytes) = (UUID.v7(), DefaultTenant.id, [UInt8](UUID.v7().text.utf8.prefix(32)))
        switch table {
        case "codes":
            return """
                INSERT INTO codes (id, user_id, tenant_id, purpose, target, target_key, salt, expires_at)
                VALUES (\(id), \(user), \(tenant), 'password_reset', 'a', 'a', \(bytes), \(time))
                """
        case "sent_mails":
            return "INSERT INTO sent_mails (event_id, user_id, kind, sent_at) VALUES (\(id), \(user), 'x', \(time))"
        case "email_changes":
            return """
                INSERT INTO email_changes (id, user_id, tenant_id, email, email_key, created_at)
                VALUES (\(id), \(user), \(tenant), 'a', 'a', \(time))
                """
        case "exports":
            return """
                INSERT INTO exports (id, user_id, tenant_id, expires_at) VALUES (\(id), \(user), \(tenant), \(time))
                """
        case "remembered_devices":
            return """
                INSERT INTO remembered_devices (id, user_id, tenant_id, created_at, expires_at)
                VALUES (\(id), \(user), \(tenant), \(time - 60), \(time))
                """
        case "unanswered_refreshes":
            return """
                INSERT INTO unanswered_refreshes (session_id, generation, edition, asked_at, expires_at)
                VALUES (\(id), 1, 0, \(time - 86_400), \(time))
                """
        case "invitations":
            return """
                INSERT INTO invitations (id, tenant_id, code_hash, roles, expires_at)
                VALUES (\(id), \(tenant), \(bytes), '{}', \(time))
                """
        default:
            return """
                INSERT INTO deletions (id, user_id, tenant_id, completed_at)
                VALUES (\(id), \(UUID.v7()), \(tenant), \(time))
                """
        }
    }
}

extension PostgresClient {
    /// The tables that have a time at which a row ends.
    fileprivate func expiringTables(_ deadline: Deadline) async throws -> [String] {
        try await query(
            """
            SELECT table_name::text AS name FROM information_schema.columns
            WHERE table_schema = 'public' AND column_name LIKE '%expires\\_at'
            """, deadline: deadline
        ).column("name")
    }
}
