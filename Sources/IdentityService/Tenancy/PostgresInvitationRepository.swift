package import ConnectionKit
package import Contracts
package import Foundation
package import MicroMiddleware
package import Postgres

/// Invitations, in the identity database.
package struct PostgresInvitationRepository: InvitationRepository {
    private let database: PostgresClient
    private let wakeRelay: @Sendable (Outbox.Urgency) -> Void

    package init(database: PostgresClient, wakeRelay: @escaping @Sendable (Outbox.Urgency) -> Void = { _ in }) {
        self.database = database
        self.wakeRelay = wakeRelay
    }

    package func insert(
        _ invitation: Invitation, codeHash: Data, event: DomainEvent, deadline: Deadline
    ) async throws -> Int {
        // As `toMail` counts them, but of its own tenant alone.
        let sql: SQL =
            """
            WITH i AS (\(Self.insertion(invitation, codeHash: codeHash)) RETURNING id),
                recorded AS (\(SQL.outboxInsert(event, from: "i")))
            SELECT count(*) AS asked FROM invitations e
            WHERE e.tenant_id = \(invitation.tenantID) AND e.email_key = \(invitation.emailKey)::text
                AND (e.created_at, e.id) < (\(invitation.createdAt)::timestamptz, \(invitation.id)::uuid)
                AND e.created_at > \(invitation.createdAt)::timestamptz - interval '1 hour'
            """
        let asked = try await database.query(sql, actingFor: invitation.tenantID, deadline: deadline)
            .first?.decode(Int.self, "asked")
        wakeRelay(.soon)
        return asked ?? 0
    }

    package func invitations(
        tenantID: UUID, offset: Int, limit: Int, deadline: Deadline
    ) async throws -> (invitations: [Invitation], total: Int) {
        let page: SQL =
            """
            SELECT \(Self.columns) FROM invitations WHERE tenant_id = \(tenantID)
            ORDER BY created_at DESC, id DESC LIMIT \(limit) OFFSET \(offset)
            """
        let count: SQL =
            """
            SELECT count(*) AS total
            FROM (SELECT FROM invitations WHERE tenant_id = \(tenantID) LIMIT \(countLimit)) AS counted
            """
        return try await database.acting(for: tenantID, deadline: deadline) { connection in
            let total = try await connection.query(count).first?.decode(Int.self, "total") ?? 0
            return (try await connection.query(page).map(Invitation.init(row:)), total)
        }
    }

    package func toMail(_ id: UUID, tenantID: UUID, deadline: Deadline) async throws -> Invitation? {
        // What other tenants send to the address counts, so it is not asked for one tenant; what a tenant asks for beyond its
        // own limit does not, or it could keep all others from inviting somebody.
        let sql: SQL =
            """
            SELECT \(Self.columns) FROM invitations i CROSS JOIN LATERAL (
                SELECT coalesce(sum(least(asked, \(Invitations.hourlyLimitOfAddress))), 0)::bigint AS of_all,
                    coalesce(max(asked) FILTER (WHERE tenant_id = i.tenant_id), 0) AS of_tenant
                FROM (
                    SELECT e.tenant_id, count(*) AS asked FROM invitations e
                    WHERE e.email_key = i.email_key AND (e.created_at, e.id) < (i.created_at, i.id)
                        AND e.created_at > i.created_at - interval '1 hour'
                    GROUP BY e.tenant_id
                ) tenants
            ) earlier
            WHERE i.id = \(id) AND i.tenant_id = \(tenantID) AND i.used_at IS NULL AND i.revoked_at IS NULL
                AND i.expires_at > now() AND i.email IS NOT NULL AND i.salt IS NOT NULL
                AND earlier.of_all < \(Invitations.hourlyLimitOfAddressInAll)
                AND earlier.of_tenant < \(Invitations.hourlyLimitOfAddress)
            """
        return try await database.query(sql, deadline: deadline).first.map(Invitation.init(row:))
    }

    package func invitation(
        code: InvitationCode, tenantID: UUID?, deadline: Deadline
    ) async throws -> Invitation? {
        var sql: SQL = "SELECT \(Self.columns) FROM invitations WHERE code_hash = \(code.hash)"
        if let tenantID { sql += " AND tenant_id = \(tenantID)" }
        return try await database.query(sql, deadline: deadline).first.map(Invitation.init(row:))
    }

    package func revoke(_ id: UUID, tenantID: UUID, event: DomainEvent, deadline: Deadline) async throws -> Bool {
        let sql: SQL =
            """
            WITH i AS (
                UPDATE invitations SET revoked_at = clock_timestamp()
                WHERE id = \(id) AND tenant_id = \(tenantID) AND used_at IS NULL AND revoked_at IS NULL RETURNING id
            ), recorded AS (\(SQL.outboxInsert(event, from: "i")))
            SELECT id FROM i
            """
        let isRevoked = try await !database.query(sql, actingFor: tenantID, deadline: deadline).isEmpty
        wakeRelay(.soon)
        return isRevoked
    }

    static func insertion(_ invitation: Invitation, codeHash: Data) -> SQL {
        """
        INSERT INTO invitations (id, tenant_id, code_hash, email_key, email, salt, roles, created_by, created_at, expires_at)
        VALUES (\(invitation.id), \(invitation.tenantID), \(codeHash), \(invitation.emailKey)::text,
            \(invitation.letter?.address)::text, \(invitation.letter?.salt)::bytea,
            \(invitation.roles), \(invitation.createdBy), \(invitation.createdAt), \(invitation.expiresAt))
        """
    }

    private static let columns: SQL =
        "id, tenant_id, email_key, email, salt, roles, created_by, created_at, expires_at, used_at, revoked_at"
}

extension Invitation {
    fileprivate init(row: PostgresRow) throws {
        var letter: Letter?
        if let address = try row.decode(String?.self, "email"), let salt = try row.decode([UInt8]?.self, "salt") {
            letter = Letter(address: address, salt: salt)
        }
        self.init(
            id: try row.decode(UUID.self, "id"), tenantID: try row.decode(UUID.self, "tenant_id"),
            emailKey: try row.decode(String?.self, "email_key"), roles: try row.decode([String].self, "roles"),
            createdBy: try row.decode(UUID?.self, "created_by"), createdAt: try row.decode(Date.self, "created_at"),
            expiresAt: try row.decode(Date.self, "expires_at"), usedAt: try row.decode(Date?.self, "used_at"),
            revokedAt: try row.decode(Date?.self, "revoked_at"),
            letter: letter)
    }
}
