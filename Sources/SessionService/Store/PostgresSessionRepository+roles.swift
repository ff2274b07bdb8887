package import ConnectionKit
package import Contracts
package import Foundation
import MicroMiddleware
import Postgres

extension PostgresSessionRepository {
    /// Once the rows are locked, no refresh gives the roles of before: whoever has them began earlier than the moment that is
    /// taken then. A refresh that waits for a row reads the new roles, and that moment with them.
    package func changeRoles(
        of userID: UUID, tenantID: UUID, _ change: RolesChange, refusing: (@Sendable () -> SessionEnding)?,
        deadline: Deadline
    ) async throws -> Revocation? {
        let revocation: Revocation? = try await database.acting(for: tenantID, deadline: deadline) { connection in
            try await connection.query(
                """
                UPDATE sessions SET roles_changed_at = \(change.changedAt),
                    user_snapshot = user_snapshot || jsonb_strip_nulls(jsonb_build_object(
                        'roles', to_jsonb(\(change.roles)::text[]),
                        'permissions', to_jsonb(\(change.permissions)::text[])))
                WHERE tenant_id = \(tenantID) AND user_id = \(userID) AND revoked_at IS NULL
                    AND coalesce(roles_changed_at <= \(change.changedAt),
                        CASE origin WHEN 'adopted' THEN auth_time ELSE greatest(auth_time, created_at) END
                            <= \(change.changedAt + RolesChange.patience))
                """)
            guard let refusing, try await heardBefore(change.cause, of: tenantID, on: connection) == nil else {
                return nil
            }
            try await connection.query(
                """
                SELECT id FROM sessions WHERE tenant_id = \(tenantID) AND user_id = \(userID) AND revoked_at IS NULL
                FOR NO KEY UPDATE
                """)
            let ending = refusing()
            let row = try await connection.query(
                """
                WITH told AS (
                    UPDATE sessions SET tokens_refused_at = \(ending.now)
                    WHERE tenant_id = \(tenantID) AND user_id = \(userID) AND revoked_at IS NULL
                )
                SELECT pg_current_xact_id()::text::bigint AS sequence
                """
            ).first
            let user = Revocation(
                sequence: try row?.decode(Int64.self, "sequence") ?? 0, kind: .user, subjectID: userID,
                tenantID: ending.boundTenantID, issuedBefore: ending.now, expiresAt: ending.revokedUntil)
            try await record([(user, userID)], ending, on: connection)
            return user
        }
        if revocation != nil { wakeRelay(.now) }
        return revocation
    }
}
