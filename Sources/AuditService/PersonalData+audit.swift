import Contracts
import Foundation
package import MicroMiddleware
import Postgres

extension PersonalData {
    /// The audit service's: what the user did and what was done to the user, the newest records, as many as ten thousand and four
    /// mebibytes hold; and how many there are, so that nobody takes a part for all. The trail is append-only and erases nothing;
    /// its records name users by id.
    package static let audit = PersonalData(
        source: .audit, erasure: { _ in [] },
        export: { user, tenants in
            [
                Part(
                    "records",
                    """
                    SELECT coalesce(json_agg(record), '[]')::text AS json FROM (\(newest(user, tenants))) given
                    """),
                Part(
                    "records_given",
                    """
                    SELECT json_build_object(
                        'given', (SELECT count(*) FROM (\(newest(user, tenants))) given),
                        'total', (SELECT count(*) FROM (
                            SELECT FROM audit_records WHERE \(isAbout(user, tenants)) LIMIT 1000000) counted),
                        'note', 'The newest records are given, and the total is counted up to a million. '
                            'All of them, tenant by tenant: GET /auth/me/audit-logs')::text AS json
                    """),
            ]
        })

    private static func isAbout(_ user: UUID, _ tenants: [UUID]) -> SQL {
        "tenant_id = ANY (\(tenants)) AND (operator_id = \(user.text) OR target_id = \(user.text))"
    }

    private static func newest(_ user: UUID, _ tenants: [UUID]) -> SQL {
        """
        SELECT record FROM (
            SELECT record, sum(octet_length(record::text)) OVER (ORDER BY occurred_at DESC, id DESC) AS size FROM (
                SELECT id, occurred_at, json_build_object('id', id, 'tenant_id', tenant_id, 'occurred_at', occurred_at,
                    'action', action, 'status', status, 'message', message, 'ip', ip, 'user_agent', user_agent,
                    'session_id', session_id) AS record
                FROM audit_records WHERE \(isAbout(user, tenants)) ORDER BY occurred_at DESC, id DESC LIMIT 10000
            ) newest
        ) sized WHERE size <= 4194304
        """
    }
}
