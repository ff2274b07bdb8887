import ConnectionKit
import Contracts
import Foundation
import IdentityService
import MicroMiddleware
import Postgres
import TestSupport
import Testing

@Suite("Under the identity database's own policies")
struct RowSecurityTests {
    private var soon: Deadline { .after(.seconds(20)) }

    @Test("every table that has rows of tenants keeps them apart")
    func guarded() async throws {
        #expect(try await TestPostgres.policed(for: "identity").unguardedTables() == [])
    }

    @Test("a statement that forgets its tenant sees and changes no other tenant's rows")
    func forgetful() async throws {
        let (client, world) = try await Self.policed()
        let root = try await world.person("root", roles: ["owner"])
        let (acme, owner) = try await world.tenant("acme", by: root)
        for statement: SQL in [
            "SELECT tenant_id FROM users", "SELECT tenant_id FROM memberships", "SELECT tenant_id FROM passwords",
            "SELECT tenant_id FROM user_roles", "SELECT tenant_id FROM invitations",
            "UPDATE users SET name = 'taken over' RETURNING tenant_id", "DELETE FROM user_roles RETURNING tenant_id",
        ] {
            let seen: [UUID] = try await client.query(statement, actingFor: acme.id, deadline: soon)
                .column("tenant_id")
            #expect(Set(seen) == [acme.id], "\(statement)")
        }
        #expect(try await world.user(root.subject)?.name == nil)
        #expect(try await world.user(owner.subject, tenantID: acme.id)?.name == "taken over")
        #expect(try await world.user(root.subject)?.roles == ["owner"])
    }

    @Test("nothing is put into another tenant")
    func intruding() async throws {
        let (client, world) = try await Self.policed()
        let root = try await world.person("root", roles: ["owner"])
        let (acme, _) = try await world.tenant("acme", by: root)
        let statements: [SQL] = [
            "INSERT INTO user_roles (user_id, tenant_id, role) SELECT \(root.subject), \(DefaultTenant.id), 'admin'",
            "UPDATE users SET tenant_id = \(DefaultTenant.id)",
            "UPDATE outbox SET tenant_id = \(DefaultTenant.id)",
        ]
        let insertions = try Self.insertions(of: root.subject, in: DefaultTenant.id).map(\.insertion)
        for statement in statements + insertions + Self.insertionsOfNoTenant(of: root.subject).map(\.insertion) {
            let error = await #expect(throws: PostgresError.self, "\(statement)") {
                try await client.query(statement, actingFor: acme.id, deadline: soon)
            }
            #expect(error?.sqlState == "42501", "\(statement)")
        }
    }

    @Test("codes, events and all else that a tenant's users have are seen and changed for that tenant alone")
    func rest() async throws {
        let (client, world) = try await Self.policed()
        let root = try await world.person("root", roles: ["owner"])
        let (acme, owner) = try await world.tenant("acme", by: root)
        for (user, tenant) in [(root.subject, DefaultTenant.id), (owner.subject, acme.id)] {
            for (_, insertion) in try Self.insertions(of: user, in: tenant) {
                try await client.query(insertion, deadline: soon)
            }
        }
        for (table, _) in try Self.insertions(of: owner.subject, in: acme.id) {
            let selection: SQL = "SELECT tenant_id FROM \(unescaped: table)"
            // Of no tenant there is more to see.
            let all: [UUID] = try await client.query(selection, deadline: soon).column("tenant_id")
            #expect(Set(all) == [acme.id, DefaultTenant.id], "\(table)")
            for statement: SQL in [
                selection, "UPDATE \(unescaped: table) SET tenant_id = tenant_id RETURNING tenant_id",
                "DELETE FROM \(unescaped: table) RETURNING tenant_id",
            ] {
                let seen: [UUID] = try await client.query(statement, actingFor: acme.id, deadline: soon)
                    .column("tenant_id")
                #expect(Set(seen) == [acme.id], "\(statement)")
            }
            let left: [UUID] = try await client.query(selection, deadline: soon).column("tenant_id")
            #expect(Set(left) == [DefaultTenant.id], "\(table)")
        }
    }

    @Test("what is of no tenant is of no interest to who acts for one")
    func ofNoTenant() async throws {
        let (client, _) = try await Self.policed()
        for (table, insertion) in Self.insertionsOfNoTenant(of: .v7()) {
            try await client.query(insertion, deadline: soon)
            let selection: SQL = "SELECT FROM \(unescaped: table)"
            #expect(try await client.query(selection, actingFor: DefaultTenant.id, deadline: soon).isEmpty, "\(table)")
            try await client.query("DELETE FROM \(unescaped: table)", actingFor: DefaultTenant.id, deadline: soon)
            #expect(try await client.query(selection, deadline: soon).count == 1, "\(table)")
        }
    }

    @Test("a row of another tenant that stands in the way is not changed")
    func inTheWay() async throws {
        let (client, world) = try await Self.policed()
        let root = try await world.person("root", roles: ["owner"])
        let (acme, _) = try await world.tenant("acme", by: root)
        try await client.query(
            """
            INSERT INTO second_factors (user_id, tenant_id, methods, version)
            VALUES (\(root.subject), \(DefaultTenant.id), '{totp}', 1)
            """, deadline: soon)
        let error = await #expect(throws: PostgresError.self) {
            try await client.query(
                """
                INSERT INTO second_factors (user_id, tenant_id, methods, version)
                VALUES (\(root.subject), \(acme.id), '{}', 9)
                ON CONFLICT (user_id) DO UPDATE SET methods = excluded.methods
                """, actingFor: acme.id, deadline: soon)
        }
        #expect(error?.sqlState == "42501")
    }

    @Test("the relay and the cache's ramp reach the rows of all tenants")
    func ofAll() async throws {
        let (client, world) = try await Self.policed()
        let root = try await world.person("root", roles: ["owner"])
        let (acme, _) = try await world.tenant("acme", by: root)
        let numbered = try await client.withConnection(deadline: soon) { connection in
            try await EventStream(source: .identity).number(atMost: 100, on: connection)
        }
        #expect(Set(numbered.map(\.event.tenantID)) == [acme.id, DefaultTenant.id])
        let waiting = try await client.query("SELECT FROM outbox", deadline: soon)
        #expect(waiting.isEmpty)

        let store = HotKeyStore(client, limit: 10)
        let keys = [acme.id, DefaultTenant.id].map { HotKey(kind: "account", tenantID: $0, id: root.subject) }
        // The second time they are there.
        for _ in 0..<2 {
            try await store.add(Dictionary(uniqueKeysWithValues: keys.map { ($0, 1) }), deadline: soon)
        }
        #expect(try await Set(store.top(deadline: soon)) == Set(keys))
    }

    @Test("a password that an administrator replaces goes into its tenant's history")
    func history() async throws {
        let (client, world) = try await Self.policed()
        let owner = try await world.person("owner", roles: ["owner"])
        let ann = try await world.person("ann")
        try await client.query("UPDATE tenants SET password_history = 3", deadline: soon)
        _ = try await world.users.resetPassword(of: ann.subject, by: owner, origin: makeOrigin())
        let kept = try await PostgresCodeRepository(database: client).passwordHistory(
            of: ann.subject, tenantID: ann.tenantID, limit: 9, deadline: soon)
        #expect(kept == ["v1:correct horse"])
    }

    @Test("an account that an administrator deletes leaves nothing in other tenants either")
    func erased() async throws {
        let (client, world) = try await Self.policed()
        let owner = try await world.person("owner", roles: ["owner"])
        let ann = try await world.person("ann")
        let (acme, _) = try await world.tenant("acme", by: owner)
        for tenant in [ann.tenantID, acme.id] {
            try await client.query(
                """
                INSERT INTO remembered_devices (id, user_id, tenant_id, created_at, expires_at)
                VALUES (\(UUID.v7()), \(ann.subject), \(tenant), now(), now())
                """, deadline: soon)
        }
        try await world.users.delete(ann.subject, by: owner, origin: makeOrigin())
        let left = try await client.query(
            "SELECT FROM remembered_devices WHERE user_id = \(ann.subject)", deadline: soon)
        #expect(left.isEmpty)
        let deletions = try await client.query(
            "SELECT FROM deletions WHERE user_id = \(ann.subject)", deadline: soon)
        #expect(deletions.count == 1)
    }

    // MARK: - Parts

    /// The client of the role that owns the tables, and rules over its store.
    private static func policed() async throws -> (PostgresClient, TenancyWorld) {
        let (client, tenancy) = try await IdentityStore.makePostgres()
        return (client, TenancyWorld(tenancy))
    }

    /// Each table of which a row belongs to a tenant, beside those of users, roles and invitations; and one row.
    private static func insertions(
        of user: UUID, in tenant: UUID
    ) throws -> [(table: StaticString, insertion: SQL)] {
        let (id, bytes) = (UUID.v7(), [UInt8](repeating: 7, count: 32))
        let event = try DomainEvent(
            type: .userUpdated, subject: user.text, tenantID: tenant, data: EventDetail())
        return [
            ("outbox", Outbox.insertSQL(event)),
            (
                "stream_events",
                """
                INSERT INTO stream_events
                    (position, id, type, subject, tenant_id, occurred_at, data, previous_hash, hash)
                SELECT 1 + count(*), \(id), 'user.updated', 'x', \(tenant), now(), '{}'::json, \(bytes), \(bytes)
                FROM stream_events
                """
            ),
            (
                "hot_keys",
                """
                INSERT INTO hot_keys (kind, tenant_id, id, weight, seen_at)
                VALUES ('account', \(tenant), \(user), 1, now())
                """
            ),
            (
                "codes",
                """
                INSERT INTO codes (id, user_id, tenant_id, purpose, target, target_key, salt, expires_at)
                VALUES (\(id), \(user), \(tenant), 'password_reset', 'a', 'a', \(bytes), now())
                """
            ),
            (
                "email_changes",
                """
                INSERT INTO email_changes (id, user_id, tenant_id, email, email_key)
                VALUES (\(id), \(user), \(tenant), 'a', 'a')
                """
            ),
            (
                "password_history",
                "INSERT INTO password_history (user_id, tenant_id, hash) VALUES (\(user), \(tenant), 'v1:x')"
            ),
            ("deletions", "INSERT INTO deletions (id, user_id, tenant_id) VALUES (\(id), \(user), \(tenant))"),
            (
                "exports",
                """
                INSERT INTO exports (id, user_id, tenant_id, expires_at) VALUES (\(id), \(user), \(tenant), now())
                """
            ),
            (
                "second_factors",
                """
                INSERT INTO second_factors (user_id, tenant_id, methods, version)
                VALUES (\(user), \(tenant), '{totp}', 1)
                """
            ),
            (
                "remembered_devices",
                """
                INSERT INTO remembered_devices (id, user_id, tenant_id, created_at, expires_at)
                VALUES (\(id), \(user), \(tenant), now(), now())
                """
            ),
            ("mfa_policies", "INSERT INTO mfa_policies (tenant_id, mode) VALUES (\(tenant), 'required')"),
        ]
    }

    /// Each table whose rows are of users or sessions in whatever tenant, and one row.
    private static func insertionsOfNoTenant(of user: UUID) -> [(table: StaticString, insertion: SQL)] {
        [
            (
                "sent_mails",
                "INSERT INTO sent_mails (event_id, user_id, kind) VALUES (\(UUID.v7()), \(user), 'x')"
            ),
            (
                "unanswered_refreshes",
                """
                INSERT INTO unanswered_refreshes (session_id, generation, edition, asked_at)
                VALUES (\(UUID.v7()), 1, 0, now())
                """
            ),
        ]
    }
}
