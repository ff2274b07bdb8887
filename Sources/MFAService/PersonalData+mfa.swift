import Contracts
import Foundation
import MicroMiddleware
import Postgres

extension PersonalData {
    /// The mfa service's: which second factors there are; never their secrets.
    static let mfa = PersonalData(
        source: .mfa,
        erasure: { user, tenant in
            [
                "DELETE FROM totp_secrets WHERE user_id = \(user) AND tenant_id = \(tenant)",
                "DELETE FROM recovery_codes WHERE user_id = \(user) AND tenant_id = \(tenant)",
                "DELETE FROM passkeys WHERE user_id = \(user) AND tenant_id = \(tenant)",
                "DELETE FROM passkey_registrations WHERE user_id = \(user) AND tenant_id = \(tenant)",
                "DELETE FROM challenges WHERE user_id = \(user) AND tenant_id = \(tenant)",
                "DELETE FROM mfa_users WHERE user_id = \(user) AND tenant_id = \(tenant)",
            ]
        },
        export: { user, tenant in
            [
                Part(
                    "methods",
                    """
                    SELECT coalesce(json_agg(row_to_json(m)), '[]')::text AS json FROM (
                        SELECT id, 'totp' AS kind, NULL AS name, created_at, last_used_at FROM totp_secrets
                        WHERE user_id = \(user) AND tenant_id = \(tenant) AND enabled_at IS NOT NULL
                        UNION ALL
                        SELECT id, 'webauthn', name, created_at, last_used_at FROM passkeys
                        WHERE user_id = \(user) AND tenant_id = \(tenant)
                        ORDER BY created_at LIMIT 1000
                    ) m
                    """)
            ]
        })
}
