package import ConnectionKit
package import Contracts
package import Foundation
import MicroMiddleware
import Postgres

extension PostgresIdentityRepository: SecondFactorRepository {
    package func hear(_ report: SecondFactorReport, deadline: Deadline) async throws -> SecondFactorReceipt {
        // Later states of one user first: one statement may touch a row once.
        let latest = Dictionary(report.users.map { ($0.userID, $0) }) { $0.version > $1.version ? $0 : $1 }.values
        let sql: SQL =
            """
            WITH told AS (
                SELECT user_id, tenant_id, string_to_array(nullif(methods, ''), ',') AS methods, version
                FROM unnest(\(latest.map(\.userID)), \(latest.map(\.tenantID)),
                    \(latest.map { $0.methods.map(\.rawValue).joined(separator: ",") }), \(latest.map(\.version)))
                    AS t (user_id, tenant_id, methods, version)
            ), applied AS (
                INSERT INTO second_factors AS s (user_id, tenant_id, methods, version)
                SELECT u.id, u.tenant_id, coalesce(told.methods, '{}'), told.version
                FROM told JOIN users u ON u.id = told.user_id AND u.tenant_id = told.tenant_id
                ORDER BY u.id
                ON CONFLICT (user_id) DO UPDATE
                    SET methods = excluded.methods, version = excluded.version, changed_at = clock_timestamp()
                    WHERE s.version < excluded.version
                RETURNING user_id, methods
            ), forgotten AS (
                -- Whoever has no factor any more begins anew with the next one.
                DELETE FROM remembered_devices d USING applied a
                WHERE d.user_id = a.user_id AND cardinality(a.methods) = 0
            ), heard AS (
                UPDATE second_factor_reports SET last = greatest(last, \(report.number)::bigint)
                WHERE \(report.number)::bigint IS NOT NULL
            )
            -- All of one statement see what was before it.
            SELECT (SELECT count(*) FROM applied) AS applied, last FROM second_factor_reports
            """
        guard let row = try await database.query(sql, deadline: deadline).first else {
            return SecondFactorReceipt(applied: 0)
        }
        return SecondFactorReceipt(
            applied: try row.decode(Int.self, "applied"), last: try row.decode(Int64.self, "last"))
    }

    package func mfaPolicy(of tenantID: UUID, deadline: Deadline) async throws -> MFAPolicy {
        let sql: SQL =
            """
            SELECT f.mode AS mfa_mode, f.roles AS mfa_roles, f.remember_days AS mfa_remember_days
            FROM mfa_policies f WHERE f.tenant_id = \(tenantID)
            """
        return try await database.query(sql, deadline: deadline).first.map(MFAPolicy.init(row:)) ?? MFAPolicy()
    }

    package func setMFAPolicy(
        _ policy: MFAPolicy, of tenantID: UUID, event: DomainEvent, deadline: Deadline
    ) async throws {
        let sql: SQL =
            """
            WITH changed AS (
                INSERT INTO mfa_policies (tenant_id, mode, roles, remember_days)
                VALUES (\(tenantID), \(policy.mode.rawValue), \(policy.roles), \(policy.rememberDays))
                ON CONFLICT (tenant_id) DO UPDATE SET mode = excluded.mode, roles = excluded.roles,
                    remember_days = excluded.remember_days, updated_at = clock_timestamp()
                RETURNING 1
            )
            \(SQL.outboxInsert(event, from: "changed"))
            """
        try await database.query(sql, deadline: deadline)
        wakeRelay(.soon)
    }

    package func replaceHash(
        of userID: UUID, tenantID: UUID, seenHash: String, newHash: String, deadline: Deadline
    ) async throws {
        try await database.query(
            """
            UPDATE passwords SET hash = \(newHash)
            WHERE user_id = \(userID) AND tenant_id = \(tenantID) AND hash = \(seenHash)
            """, deadline: deadline)
    }

    /// What an account is read with, over `users u` and `mfa_policies f`: never NULL for a user that is there.
    static let secondFactorColumns: SQL =
        """
        ARRAY(SELECT unnest(s.methods) FROM second_factors s WHERE s.user_id = u.id AND s.tenant_id = u.tenant_id)
            AS second_factors,
        f.mode AS mfa_mode, f.roles AS mfa_roles, f.remember_days AS mfa_remember_days
        """
}

extension MFAPolicy {
    /// What is usual where the tenant has said nothing. A mode of a later version is read as the strictest.
    init(row: PostgresRow) throws {
        guard let mode = try row.decode(String?.self, "mfa_mode") else {
            self.init()
            return
        }
        self.init(
            mode: Mode(rawValue: mode) ?? .required, roles: try row.decode([String].self, "mfa_roles"),
            rememberDays: Int(try row.decode(Int32.self, "mfa_remember_days")))
    }
}
