import Contracts
import Foundation

/// What somebody has set up.
struct MethodList: Encodable, Sendable {
    struct Method: Encodable, Sendable {
        let id: String
        let type: MFAMethod
        let name: String
        let createdAt: Date
        let lastUsedAt: Date?

        enum CodingKeys: String, CodingKey {
            case id, type, name
            case createdAt = "created_at"
            case lastUsedAt = "last_used_at"
        }
    }

    let enabled: Bool
    let methods: [Method]
    let backupCodes: Int

    init(_ factors: UserFactors, _ passkeys: [Passkey]) {
        enabled = !factors.methods.isEmpty
        backupCodes = factors.unusedRecoveryCodes
        var methods: [Method] = []
        if let totp = factors.totp, totp.enabledAt != nil {
            methods.append(
                Method(
                    id: totp.id.text, type: .totp, name: "Authenticator app", createdAt: totp.createdAt,
                    lastUsedAt: totp.lastUsedAt))
        }
        self.methods =
            methods
            + passkeys.map { passkey in
                Method(
                    id: passkey.id.text, type: .webauthn, name: passkey.name, createdAt: passkey.createdAt,
                    lastUsedAt: passkey.lastUsedAt)
            }
    }

    enum CodingKeys: String, CodingKey {
        case enabled = "mfa_enabled"
        case methods
        case backupCodes = "backup_codes_remaining"
    }
}
