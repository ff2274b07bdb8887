import Contracts
import Foundation
package import MicroMiddleware
import Postgres

extension PersonalData {
    /// The audit service's: what the user did and what was done to the user, the newest 10,000 records. The trail is
    /// append-only and erases nothing; its records name users by id.
    package static let audit = PersonalData(
        source: .audit, erasure: { _ in [] },
        export: { user, tenants in
            [
                Part(
                    "records",
                    """
                    SELECT coalesce(json_agg(row_to_json(r)), '[]')::text AS json FROM (
                        SELECT id, tenant_id, occurred_at, action, status, message, ip, user_agent, session_id FROM audit_records
                        WHERE tenant_id = ANY (\(tenants)) AND (operator_id = \(user)::text OR target_id = \(user)::text)
                        ORDER BY occurred_at DESC LIMIT 10000
                    ) r
                    """)
            ]
        })
}
