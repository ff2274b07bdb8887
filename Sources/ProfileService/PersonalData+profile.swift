import Contracts
import Foundation
package import MicroMiddleware
import Postgres

extension PersonalData {
    /// The profile service's: a profile in each tenant.
    package static let profile = PersonalData(
        source: .profile,
        erasure: { user in ["DELETE FROM profiles WHERE user_id = \(user)"] },
        export: { user, _ in
            [
                Part(
                    "profiles",
                    """
                    SELECT coalesce(json_agg(row_to_json(p) ORDER BY p.created_at), '[]')::text AS json FROM profiles p
                    WHERE p.user_id = \(user)
                    """)
            ]
        })
}
