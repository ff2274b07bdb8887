import Contracts
import Foundation
package import MicroMiddleware
import Postgres

extension PersonalData {
    /// The session service's: its sessions. Revocations stay until the tokens that they refuse have expired; they hold ids
    /// alone.
    package static let session = PersonalData(
        source: .session,
        erasure: { user in
            [
                "DELETE FROM sessions WHERE user_id = \(user)",
                "DELETE FROM trusted_devices WHERE user_id = \(user)",
                "DELETE FROM seen_devices WHERE user_id = \(user)",
            ]
        },
        export: { user, _ in
            [
                Part(
                    "sessions",
                    """
                    SELECT coalesce(json_agg(row_to_json(s)), '[]')::text AS json FROM (
                        SELECT id, tenant_id, device, user_agent, ip, created_at, rotated_at AS last_seen_at, auth_time, amr,
                            absolute_expires_at AS expires_at, revoked_at, revoked_reason
                        FROM sessions WHERE user_id = \(user) AND absolute_expires_at > created_at
                        ORDER BY created_at DESC LIMIT 1000
                    ) s
                    """),
                Part(
                    "trusted_devices",
                    """
                    SELECT coalesce(json_agg(row_to_json(d)), '[]')::text AS json FROM (
                        SELECT id, tenant_id, name, user_agent, ip, created_at, last_used_at, expires_at FROM trusted_devices
                        WHERE user_id = \(user) ORDER BY created_at DESC LIMIT 1000
                    ) d
                    """),
            ]
        })
}
