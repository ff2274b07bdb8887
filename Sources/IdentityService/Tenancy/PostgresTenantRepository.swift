package import ConnectionKit
package import Contracts
package import Foundation
package import MicroMiddleware
package import Postgres

/// Tenants, in the identity database.
package struct PostgresTenantRepository: TenantRepository {
    private let database: PostgresClient
    private let wakeRelay: @Sendable (Outbox.Urgency) -> Void

    package init(database: PostgresClient, wakeRelay: @escaping @Sendable (Outbox.Urgency) -> Void = { _ in }) {
        self.database = database
        self.wakeRelay = wakeRelay
    }

    package func tenants(
        offset: Int, limit: Int, deadline: Deadline
    ) async throws -> (tenants: [Tenant], total: Int) {
        let page: SQL =
            """
            SELECT \(IdentityRows.tenantColumns) FROM tenants t ORDER BY t.slug LIMIT \(limit) OFFSET \(offset)
            """
        let count: SQL = "SELECT count(*) AS total FROM (SELECT FROM tenants LIMIT \(countLimit)) AS counted"
        return try await database.withConnection(deadline: deadline) { connection in
            let total = try await connection.query(count).first?.decode(Int.self, "total") ?? 0
            return (try await connection.query(page).map(Tenant.init(row:)), total)
        }
    }

    package func tenant(_ id: UUID, deadline: Deadline) async throws -> Tenant? {
        let sql: SQL = "SELECT \(IdentityRows.tenantColumns) FROM tenants t WHERE t.id = \(id)"
        return try await database.query(sql, deadline: deadline).first.map(Tenant.init(row:))
    }

    package func tenant(slug: String, deadline: Deadline) async throws -> Tenant? {
        let sql: SQL = "SELECT \(IdentityRows.tenantColumns) FROM tenants t WHERE t.slug = \(slug)"
        return try await database.query(sql, deadline: deadline).first.map(Tenant.init(row:))
    }

    package func insert(
        _ tenant: Tenant, owner: Invitation, codeHash: Data, events: [DomainEvent], deadline: Deadline
    ) async throws {
        let sql: SQL =
            """
            INSERT INTO tenants (id, slug, name, display_name, membership, membership_approval, login_methods,
                password_transmission, password_min_length, password_max_length, session_limit, session_at_limit,
                session_idle_seconds, session_absolute_seconds, password_history, password_max_age_days,
                password_refuse_common, registration_discloses, requires_verified_email,
                new_device_mail)
            VALUES (\(tenant.id), \(tenant.slug), \(tenant.name), \(tenant.displayName),
                \(tenant.membership.rawValue), \(tenant.membershipApproval), \(tenant.loginMethods),
                \(tenant.passwordPolicy.transmission), \(tenant.passwordPolicy.minimumLength)::int,
                \(tenant.passwordPolicy.maximumLength)::int, \(tenant.sessionPolicy.maximumSessions)::int,
                \(tenant.sessionPolicy.atLimit.rawValue), \(tenant.sessionPolicy.idleTimeoutSeconds)::int,
                \(tenant.sessionPolicy.absoluteTimeoutSeconds)::int, \(tenant.passwordPolicy.historyDepth)::int,
                \(tenant.passwordPolicy.maximumAgeDays)::int, \(tenant.passwordPolicy.refusesCommon),
                \(tenant.registrationDiscloses), \(tenant.requiresVerifiedEmail), \(tenant.mailsNewDevices))
            """
        try await IdentityRows.naming {
            try await database.withTransaction(deadline: deadline) { connection in
                try await connection.query(sql)
                try await connection.query(PostgresInvitationRepository.insertion(owner, codeHash: codeHash))
                for event in events {
                    try await connection.query(SQL.outboxInsert(event, from: "(SELECT) AS always"))
                }
            }
        }
        wakeRelay(.soon)
    }

    package func update(_ tenant: Tenant, event: DomainEvent, deadline: Deadline) async throws -> Tenant? {
        let sql: SQL =
            """
            WITH t AS (
                UPDATE tenants SET name = \(tenant.name), display_name = \(tenant.displayName),
                    membership = \(tenant.membership.rawValue), membership_approval = \(tenant.membershipApproval),
                    login_methods = \(tenant.loginMethods),
                    password_transmission = \(tenant.passwordPolicy.transmission),
                    password_min_length = \(tenant.passwordPolicy.minimumLength)::int,
                    password_max_length = \(tenant.passwordPolicy.maximumLength)::int,
                    password_history = \(tenant.passwordPolicy.historyDepth)::int,
                    password_max_age_days = \(tenant.passwordPolicy.maximumAgeDays)::int,
                    password_refuse_common = \(tenant.passwordPolicy.refusesCommon),
                    registration_discloses = \(tenant.registrationDiscloses),
                    requires_verified_email = \(tenant.requiresVerifiedEmail),
                    new_device_mail = \(tenant.mailsNewDevices),
                    session_limit = \(tenant.sessionPolicy.maximumSessions)::int,
                    session_at_limit = \(tenant.sessionPolicy.atLimit.rawValue),
                    session_idle_seconds = \(tenant.sessionPolicy.idleTimeoutSeconds)::int,
                    session_absolute_seconds = \(tenant.sessionPolicy.absoluteTimeoutSeconds)::int,
                    updated_at = clock_timestamp()
                WHERE id = \(tenant.id) RETURNING *
            ), recorded AS (\(SQL.outboxInsert(event, from: "t")))
            SELECT \(IdentityRows.tenantColumns) FROM t
            """
        let row = try await database.query(sql, deadline: deadline).first
        wakeRelay(.soon)
        return try row.map(Tenant.init(row:))
    }

    package func hasOwner(
        signingInBy methods: [String], tenantID: UUID, deadline: Deadline
    ) async throws -> Bool {
        let sql: SQL =
            """
            SELECT coalesce(bool_or(
                u.tenant_id <> \(tenantID) OR (\(methods.contains("email")) AND u.email_key IS NOT NULL)
                OR (\(methods.contains("username")) AND u.username_key IS NOT NULL)
                OR (\(methods.contains("phone")) AND u.phone_key IS NOT NULL)
            ), true) AS is_kept
            FROM user_roles r JOIN users u ON u.id = r.user_id
            WHERE r.tenant_id = \(tenantID) AND r.role = 'owner' AND u.status = 'active'
            """
        return try await database.query(sql, deadline: deadline).first?.decode(Bool.self, "is_kept") ?? true
    }

    package func setStatus(
        _ status: Tenant.Status, of id: UUID, event: DomainEvent, deadline: Deadline
    ) async throws -> Stored<Tenant>? {
        let sql: SQL =
            """
            WITH t AS (
                UPDATE tenants SET status = \(status.rawValue), updated_at = clock_timestamp()
                WHERE id = \(id) AND status <> \(status.rawValue) RETURNING *
            ), recorded AS (\(SQL.outboxInsert(event, from: "t")) RETURNING occurred_at)
            SELECT \(IdentityRows.tenantColumns), occurred_at FROM t, recorded
            """
        let row = try await database.query(sql, deadline: deadline).first
        wakeRelay(.now)
        return try row.map { row in
            Stored(try Tenant(row: row), events: [event.stored(at: try row.decode(Date.self, "occurred_at"))])
        }
    }
}
