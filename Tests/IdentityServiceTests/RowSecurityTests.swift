import Contracts
import Foundation
import IdentityService
import MicroMiddleware
import Postgres
import Testing

@Suite("Under the identity database's own policies")
struct RowSecurityTests {
    @Test("a statement that forgets its tenant sees and changes no other tenant's rows")
    func forgetful() async throws {
        let (client, world) = try await IdentityStore.policed()
        let root = try await world.person("root", roles: ["owner"])
        let (acme, owner) = try await world.tenant("acme", by: root)
        let deadline = makeOrigin().scope.deadline
        try await client.withTransaction(deadline: deadline) { connection in
            // Superusers are above policies, and the tests' server knows no other user.
            try await connection.query("SET LOCAL ROLE forgetful")
            try await connection.query("SELECT set_config('authms.tenant_id', \(acme.id.text), true)")
            for statement: SQL in [
                "SELECT tenant_id FROM users", "SELECT tenant_id FROM memberships", "SELECT tenant_id FROM passwords",
                "SELECT tenant_id FROM user_roles", "SELECT tenant_id FROM invitations",
                "UPDATE users SET name = 'taken over' RETURNING tenant_id",
                "DELETE FROM user_roles RETURNING tenant_id",
            ] {
                let seen = try await connection.query(statement).column("tenant_id", as: UUID.self)
                #expect(Set(seen) == [acme.id], "\(statement)")
            }
        }
        #expect(try await world.user(root.subject)?.name == nil)
        #expect(try await world.user(owner.subject, tenantID: acme.id)?.name == "taken over")
        #expect(try await world.user(root.subject)?.roles == ["owner"])
    }

    @Test("nothing is put into another tenant")
    func intruding() async throws {
        let (client, world) = try await IdentityStore.policed()
        let root = try await world.person("root", roles: ["owner"])
        let (acme, _) = try await world.tenant("acme", by: root)
        for statement: SQL in [
            "INSERT INTO user_roles (user_id, tenant_id, role) SELECT \(root.subject), \(DefaultTenant.id), 'admin'",
            "UPDATE users SET tenant_id = \(DefaultTenant.id)",
        ] {
            await #expect(throws: PostgresError.self) {
                try await client.withTransaction(deadline: makeOrigin().scope.deadline) { connection in
                    try await connection.query("SET LOCAL ROLE forgetful")
                    try await connection.query("SELECT set_config('authms.tenant_id', \(acme.id.text), true)")
                    try await connection.query(statement)
                }
            }
        }
    }
}

extension IdentityStore {
    /// A store, the client behind it, and a role that is under its policies.
    fileprivate static func policed() async throws -> (PostgresClient, TenancyWorld) {
        let (client, tenancy) = try await makePostgres()
        try await client.withConnection(deadline: makeOrigin().scope.deadline) { connection in
            try await connection.execute(
                script: """
                    DO $$ BEGIN CREATE ROLE forgetful; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
                    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO forgetful;
                    """)
        }
        return (client, TenancyWorld(tenancy))
    }
}
