import Contracts
import Foundation
package import MicroMiddleware
import Postgres

extension PersonalData {
    /// The mfa service's: which second factors there are; never their secrets.
    package static let mfa = PersonalData(
        source: .mfa,
        erasure: { user in
            [
                "DELETE FROM totp_secrets WHERE user_id = \(user)",
                "DELETE FROM recovery_codes WHERE user_id = \(user)",
                "DELETE FROM passkeys WHERE user_id = \(user)",
                "DELETE FROM passkey_registrations WHERE user_id = \(user)",
                "DELETE FROM challenges WHERE user_id = \(user)",
                "DELETE FROM mfa_users WHERE user_id = \(user)",
            ]
        },
        export: { user, _ in
            [
                Part(
                    "methods",
                    """
                    SELECT coalesce(json_agg(row_to_json(m)), '[]')::text AS json FROM (
                        SELECT id, 'totp' AS kind, NULL AS name, created_at, last_used_at FROM totp_secrets
                        WHERE user_id = \(user) AND enabled_at IS NOT NULL
                        UNION ALL
                        SELECT id, 'webauthn', name, created_at, last_used_at FROM passkeys
                        WHERE user_id = \(user)
                        ORDER BY created_at LIMIT 1000
                    ) m
                    """)
            ]
        })
}
