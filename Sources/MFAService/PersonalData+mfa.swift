import Contracts
import Foundation
import MicroMiddleware
import Postgres

extension PersonalData {
    /// The mfa service's: which second factors there are; never their secrets.
    static let mfa = PersonalData(
        source: .mfa,
        erasure: { user, tenant in ["DELETE FROM mfa_methods WHERE user_id = \(user) AND tenant_id = \(tenant)"] },
        export: { user, tenant in
            [
                Part(
                    "methods",
                    """
                    SELECT coalesce(json_agg(row_to_json(m)), '[]')::text AS json FROM (
                        SELECT id, kind, created_at FROM mfa_methods
                        WHERE user_id = \(user) AND tenant_id = \(tenant) ORDER BY created_at LIMIT 1000
                    ) m
                    """)
            ]
        })
}
