import Contracts
import Foundation
import MicroMiddleware
import Postgres

extension PersonalData {
    /// The profile service's: the profile.
    static let profile = PersonalData(
        source: .profile,
        erasure: { user, tenant in ["DELETE FROM profiles WHERE user_id = \(user) AND tenant_id = \(tenant)"] },
        export: { user, tenant in
            [
                Part(
                    "profile",
                    """
                    SELECT row_to_json(p)::text AS json FROM profiles p
                    WHERE p.user_id = \(user) AND p.tenant_id = \(tenant)
                    """)
            ]
        })
}
