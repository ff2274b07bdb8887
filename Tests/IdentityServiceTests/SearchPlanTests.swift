import ConnectionKit
import Contracts
import Foundation
import IdentityService
import MicroMiddleware
import Postgres
import TestSupport
import Testing

/// What administrators and logins ask for among 20,000 users, 20 of them guests, 100 disabled, and as many of other tenants.
@Suite("Among many users", .serialized)
struct SearchPlanTests {
    private static let filters: [UserFilter] = [
        UserFilter(), UserFilter(status: .active), UserFilter(status: .disabled), UserFilter(status: .pending),
        UserFilter(text: "user-00017"), UserFilter(text: "user"), UserFilter(text: "+4930"),
        UserFilter(identifier: .guess("user-000170@example.org")), UserFilter(identifier: .guess("user-000170")),
        UserFilter(identifier: .guess("+493000000017")), UserFilter(text: "user", identifier: .guess("user-000170")),
        UserFilter(text: "ann", status: .disabled), UserFilter(role: "admin"), UserFilter(role: "member"),
        UserFilter(createdFrom: Date(timeIntervalSinceNow: -3_600)),
    ]

    @Test("no search reads all users", .timeLimit(.minutes(3)))
    func plans() async throws {
        let client = try await Self.among.value
        try await client.withTransaction(deadline: .after(.seconds(120))) { connection in
            // Superusers are above policies, and policies change plans.
            try await connection.query("SET LOCAL ROLE searching")
            try await connection.query("SELECT set_config('authms.tenant_id', \(DefaultTenant.id.text), true)")
            for filter in Self.filters {
                let search = UserSearch(filter, tenantID: DefaultTenant.id)
                for probe in search.probes(bound: UserSearch.fewest + 1) {
                    try await Self.expectIndexes(probe, "probe of \(filter)", on: connection)
                }
                let few = try await Self.few(search, on: connection)
                let page = search.page(among: few, offset: 0, limit: 20)
                try await Self.expectIndexes(page, "page of \(filter)", on: connection)
                try await Self.expectIndexes(
                    search.count(among: few, bound: 1_020), "count of \(filter)", on: connection)
            }
        }
    }

    @Test("the account of a login and of a token is found by its index", .timeLimit(.minutes(3)))
    func accounts() async throws {
        let client = try await Self.among.value
        try await client.withTransaction(deadline: .after(.seconds(120))) { connection in
            try await connection.query("SET LOCAL ROLE searching")
            for identifier in [
                try Identifier.email("user-00017@example.org"), try Identifier.username("user-00017"),
                try Identifier.phone("+493000000017"),
            ] {
                let sql = PostgresIdentityRepository.lookUp(identifier, tenantID: DefaultTenant.id)
                try await Self.expectIndexes(sql, "look-up by \(identifier.kind)", on: connection)
            }
            let sql = PostgresIdentityRepository.account(.v7(), tenantID: DefaultTenant.id)
            try await Self.expectIndexes(sql, "account", on: connection)
        }
    }

    @Test("few and many are found, counted and kept apart by tenant", .timeLimit(.minutes(3)))
    func results() async throws {
        let directory = PostgresUserDirectory(database: try await Self.among.value)
        func find(_ filter: UserFilter, offset: Int = 0) async throws -> (users: [User], total: Int) {
            try await directory.users(
                tenantID: DefaultTenant.id, filter: filter, offset: offset, limit: 20, deadline: .after(.seconds(20)))
        }
        // user-000170 to -000179, in this tenant alone.
        let few = try await find(UserFilter(text: "user-00017"))
        #expect(few.total == 10 && few.users.count == 10)
        #expect(few.users.allSatisfy { $0.tenantID == DefaultTenant.id })
        let one = try await find(UserFilter(identifier: .guess("User-000170")))
        #expect(one.total == 1 && one.users.map(\.username) == ["user-000170"])
        #expect(try await find(UserFilter(identifier: .guess("user-00017"))).users.isEmpty)
        let many = try await find(UserFilter(text: "user"))
        #expect(many.total == 1_020 && many.users.count == 20)
        #expect(many.users.map(\.createdAt) == many.users.map(\.createdAt).sorted(by: >))
        #expect(try await find(UserFilter(), offset: 19_000).total == 20_020)
        #expect(try await find(UserFilter(status: .disabled)).total == 100)
        #expect(try await find(UserFilter(text: "user", status: .disabled)).total == 100)
        #expect(try await find(UserFilter(status: .pending)).users.isEmpty)
        let guests = try await find(UserFilter(text: "guest"))
        #expect(guests.total == 20 && guests.users.allSatisfy { $0.homeTenantID != DefaultTenant.id })
    }

    // MARK: - Parts

    private static func few(_ search: UserSearch, on connection: PostgresConnection) async throws -> [UUID]? {
        for probe in search.probes(bound: UserSearch.fewest + 1) {
            let ids = try await connection.query(probe).column("id", as: UUID.self)
            if ids.count <= UserSearch.fewest { return ids }
        }
        return nil
    }

    private static func expectIndexes(
        _ sql: SQL, _ what: String, on connection: PostgresConnection
    ) async throws {
        let rows = try await connection.query("EXPLAIN (ANALYZE false, FORMAT JSON) \(sql)")
        let plan = try QueryPlan(json: try #require(rows.first).decode(String.self, "QUERY PLAN"))
        #expect(plan.scannedTables.isDisjoint(with: ["users", "passwords"]), "\(what): \(plan)")
    }

    /// Made once, since these tests only read.
    private static let among = Task { try await populated() }

    /// A database of its own, with a role that its policies hold for.
    private static func populated() async throws -> PostgresClient {
        let client = try await TestPostgres.migrated(for: "identity")
        let other = UUID.v7()
        try await client.query(
            "INSERT INTO tenants (id, slug, name, display_name) VALUES (\(other), 'other', 'other', 'Other')",
            deadline: .after(.seconds(10)))
        try await insert(20_000, named: "user", tenant: DefaultTenant.id, client)
        try await insert(5_000, named: "user", tenant: other, client)
        try await insert(20, named: "guest", tenant: other, client)
        let statements: [SQL] = [
            """
            INSERT INTO memberships (user_id, tenant_id) SELECT id, \(DefaultTenant.id) FROM users
            WHERE tenant_id = \(other) AND email_key LIKE 'guest%'
            """,
            """
            UPDATE users SET status = 'disabled' WHERE tenant_id = \(DefaultTenant.id) AND email_key LIKE 'user-0001%'
            """,
            "INSERT INTO passwords (user_id, tenant_id, hash) SELECT id, tenant_id, 'v1:x' FROM users",
            "INSERT INTO user_roles (user_id, tenant_id, role) SELECT id, tenant_id, 'member' FROM users",
            """
            INSERT INTO user_roles (user_id, tenant_id, role) SELECT id, tenant_id, 'admin' FROM users
            WHERE email_key LIKE 'user-0002%'
            """,
        ]
        for statement in statements { try await client.query(statement, deadline: .after(.seconds(60))) }
        try await client.withConnection(deadline: .after(.seconds(60))) { connection in
            try await connection.execute(
                script: """
                    DO $$ BEGIN CREATE ROLE searching; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
                    GRANT SELECT ON ALL TABLES IN SCHEMA public TO searching;
                    """)
        }
        try await client.query(
            "VACUUM ANALYZE users, memberships, passwords, user_roles", deadline: .after(.seconds(60)))
        return client
    }

    /// Users with consecutive numbers of six digits, the first the oldest.
    private static func insert(
        _ count: Int, named name: String, tenant: UUID, _ client: PostgresClient
    ) async throws {
        try await client.query(
            """
            INSERT INTO users (id, tenant_id, email, email_key, username, username_key, phone, phone_key, name, created_at)
            SELECT gen_random_uuid(), \(tenant), mail, mail, login, login, phone, phone, 'Ann ' || n,
                now() - interval '1 minute' * (\(count) - n)
            FROM generate_series(0, \(count) - 1) AS n, LATERAL (
                SELECT \(name)::text || '-' || lpad(n::text, 6, '0') || '@example.org' AS mail,
                    \(name)::text || '-' || lpad(n::text, 6, '0') AS login,
                    '+49' || (CASE WHEN \(name)::text = 'user' THEN 3000000000 ELSE 4000000000 END + n) AS phone) AS names
            """, deadline: .after(.seconds(60)))
    }
}
