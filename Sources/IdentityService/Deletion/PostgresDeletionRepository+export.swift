package import ConnectionKit
package import Contracts
package import Foundation
import MicroMiddleware
import Postgres

extension PostgresDeletionRepository {
    /// So often a day may one user ask.
    private static let dailyLimit = 5

    package func requestExport(
        of userID: UUID, tenantID: UUID, expiresAt: Date, event: DomainEvent, deadline: Deadline
    ) async throws -> DataExport? {
        let sql: SQL =
            """
            WITH asked AS (
                INSERT INTO exports (id, user_id, tenant_id, expires_at)
                SELECT \(event.id), u.id, u.tenant_id, \(expiresAt)::timestamptz FROM users u
                WHERE u.id = \(userID) AND u.tenant_id = \(tenantID) AND u.status = 'active' AND (
                    SELECT count(*) FROM exports e WHERE e.user_id = u.id AND e.requested_at > now() - interval '1 day'
                ) < \(Self.dailyLimit)
                RETURNING id, requested_at, expires_at, bundle
            ), recorded AS (\(SQL.outboxInsert(event, from: "asked")))
            SELECT * FROM asked
            """
        let row = try await database.query(sql, deadline: deadline).first
        wakeRelay(.now)
        return try row.map(DataExport.init(row:))
    }

    package func storeExport(
        _ id: UUID, bundle: [UInt8], event: DomainEvent, deadline: Deadline
    ) async throws {
        let sql: SQL =
            """
            WITH stored AS (
                UPDATE exports SET bundle = \(bundle), ready_at = now() WHERE id = \(id) AND bundle IS NULL RETURNING id
            ) \(SQL.outboxInsert(event, from: "stored"))
            """
        try await database.query(sql, deadline: deadline)
        wakeRelay(.soon)
    }

    package func export(
        _ id: UUID, of userID: UUID, tenantID: UUID, now: Date, deadline: Deadline
    ) async throws -> DataExport? {
        let sql: SQL =
            """
            SELECT id, requested_at, expires_at, bundle FROM exports
            WHERE id = \(id) AND user_id = \(userID) AND tenant_id = \(tenantID) AND expires_at > \(now)
            """
        return try await database.query(sql, deadline: deadline).first.map(DataExport.init(row:))
    }

    /// For all tenants: the memberships are the user's.
    package func hosts(of userID: UUID, deadline: Deadline) async throws -> [UUID] {
        try await database.query(
            """
            SELECT m.tenant_id FROM memberships m JOIN users u ON u.id = m.user_id
            WHERE m.user_id = \(userID) AND m.tenant_id <> u.tenant_id ORDER BY m.created_at DESC LIMIT 500
            """, deadline: deadline
        ).column("tenant_id")
    }

    package func personalData(
        of userID: UUID, tenantID: UUID, deadline: Deadline
    ) async throws -> [String: String] {
        let sql: SQL =
            """
            SELECT json_build_object('id', u.id, 'tenant_id', u.tenant_id, 'email', u.email, 'username', u.username,
                'phone', u.phone, 'name', u.name, 'status', u.status, 'email_verified_at', u.email_verified_at,
                'phone_verified_at', u.phone_verified_at, 'created_at', u.created_at, 'updated_at', u.updated_at,
                'last_login_at', u.last_login_at, 'password_changed_at', p.changed_at,
                'roles', (SELECT coalesce(json_agg(r.role ORDER BY r.role), '[]') FROM user_roles r
                    WHERE r.user_id = u.id AND r.tenant_id = u.tenant_id)
            )::text AS account,
            (SELECT coalesce(json_agg(json_build_object('tenant_id', m.tenant_id, 'tenant', t.slug,
                'is_home', m.tenant_id = u.tenant_id, 'status', m.status, 'created_at', m.created_at,
                'roles', (SELECT coalesce(json_agg(r.role ORDER BY r.role), '[]') FROM user_roles r
                    WHERE r.user_id = m.user_id AND r.tenant_id = m.tenant_id)) ORDER BY m.created_at), '[]')
                FROM memberships m JOIN tenants t ON t.id = m.tenant_id WHERE m.user_id = u.id)::text AS memberships,
            (SELECT coalesce(json_agg(json_build_object('id', d.id, 'tenant_id', d.tenant_id,
                'user_agent', d.user_agent, 'created_at', d.created_at, 'last_used_at', d.last_used_at,
                'expires_at', d.expires_at) ORDER BY d.created_at), '[]')
                FROM remembered_devices d WHERE d.user_id = u.id)::text AS remembered_devices
            FROM users u LEFT JOIN passwords p ON p.user_id = u.id WHERE u.id = \(userID) AND u.tenant_id = \(tenantID)
            """
        let row = try await database.query(sql, deadline: deadline).first
        return try ["account", "memberships", "remembered_devices"].reduce(into: [:]) { parts, name in
            parts[name] = try row?.decode(String.self, name) ?? "null"
        }
    }
}

extension DataExport {
    fileprivate init(row: PostgresRow) throws {
        self.init(
            id: try row.decode(UUID.self, "id"), requestedAt: try row.decode(Date.self, "requested_at"),
            expiresAt: try row.decode(Date.self, "expires_at"), bundle: try row.decode([UInt8]?.self, "bundle"))
    }
}
