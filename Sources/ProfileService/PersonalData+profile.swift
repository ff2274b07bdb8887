import Contracts
import Foundation
package import MicroMiddleware
import Postgres

extension PersonalData {
    /// The profile service's: a profile in each tenant, and its picture. Of pictures, as many as four mebibytes hold, the newest first,
    /// and of the others where they are: what one service answers another has an end.
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
                    """),
                Part(
                    "avatars",
                    """
                    SELECT coalesce(json_agg(row_to_json(a)), '[]')::text AS json FROM (
                        SELECT tenant_id, content_type, width, height, changed_at,
                            '/profile/api/v1/profiles/' || user_id || '/avatar' AS address,
                            CASE WHEN sum(octet_length(content)) OVER (ORDER BY changed_at DESC, tenant_id) <= 4194304
                                THEN replace(encode(content, 'base64'), E'\\n', '') END AS content_base64
                        FROM avatars WHERE user_id = \(user) ORDER BY changed_at DESC, tenant_id
                    ) a
                    """),
            ]
        })
}
