/// What happened, in the past tense: also the routing key on the exchange, so bindings select by its words.
package struct EventType: RawRepresentable, Sendable, Hashable, Codable, CustomStringConvertible {
    package let rawValue: String

    package init(rawValue: String) {
        self.rawValue = rawValue
    }

    package init(from decoder: any Decoder) throws {
        rawValue = try decoder.singleValueContainer().decode(String.self)
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(rawValue)
    }

    package var description: String { rawValue }

    /// The service's name: the first word.
    package var module: String {
        String(rawValue.prefix { $0 != "." })
    }
}

// MARK: - Identity

extension EventType {
    package static let userRegistered = EventType(rawValue: "identity.user.registered")
    /// Somebody tried to register with an address or number of this user, and was not told that it is taken.
    package static let registrationRepeated = EventType(rawValue: "identity.registration.repeated")
    package static let userUpdated = EventType(rawValue: "identity.user.updated")
    package static let userDisabled = EventType(rawValue: "identity.user.disabled")
    package static let userEnabled = EventType(rawValue: "identity.user.enabled")
    package static let userDeleted = EventType(rawValue: "identity.user.deleted")
    /// Every service has erased what it held of the user.
    package static let userErased = EventType(rawValue: "identity.user.erased")
    package static let exportRequested = EventType(rawValue: "identity.user.export_requested")
    package static let exportReady = EventType(rawValue: "identity.user.export_ready")
    package static let userLocked = EventType(rawValue: "identity.user.locked")
    package static let userUnlocked = EventType(rawValue: "identity.user.unlocked")
    package static let loginSucceeded = EventType(rawValue: "identity.login.succeeded")
    package static let loginFailed = EventType(rawValue: "identity.login.failed")
    package static let reauthenticated = EventType(rawValue: "identity.login.repeated")
    package static let passwordChanged = EventType(rawValue: "identity.password.changed")
    package static let passwordResetRequested = EventType(rawValue: "identity.password.reset_requested")
    package static let passwordReset = EventType(rawValue: "identity.password.reset")
    /// A code of a mail was tried, rightly or not; about nobody when there is no such user.
    package static let codeTried = EventType(rawValue: "identity.code.tried")
    package static let emailVerificationRequested = EventType(rawValue: "identity.email.verification_requested")
    package static let emailVerified = EventType(rawValue: "identity.email.verified")
    package static let emailChangeRequested = EventType(rawValue: "identity.email.change_requested")
    package static let emailChanged = EventType(rawValue: "identity.email.changed")
    package static let rolesChanged = EventType(rawValue: "identity.roles.changed")
    package static let tenantCreated = EventType(rawValue: "identity.tenant.created")
    package static let tenantUpdated = EventType(rawValue: "identity.tenant.updated")
    package static let administratorCreated = EventType(rawValue: "identity.administrator.created")
    /// A login succeeded while the session service was away: session adopts it afterwards.
    package static let sessionPending = EventType(rawValue: "identity.session.pending")
    /// A login was refused after its session had been opened, and the session service could not be told: it ends the session.
    package static let sessionWithdrawn = EventType(rawValue: "identity.session.withdrawn")
    /// A refresh was answered on the refresh token's word alone: the session service was away.
    package static let refreshDegraded = EventType(rawValue: "identity.refresh.degraded")
    package static let permissionDenied = EventType(rawValue: "identity.permission.denied")
    package static let rememberedDeviceAdded = EventType(rawValue: "identity.device.remembered")
    package static let rememberedDeviceRemoved = EventType(rawValue: "identity.device.forgotten")
    package static let mfaPolicyChanged = EventType(rawValue: "identity.mfa_policy.changed")
}

// MARK: - Session

extension EventType {
    package static let sessionCreated = EventType(rawValue: "session.created")
    package static let sessionAdopted = EventType(rawValue: "session.adopted")
    package static let sessionRefreshed = EventType(rawValue: "session.refreshed")
    /// A rotation whose answer never reached the token's owner was taken back: the token is the present one again.
    package static let rotationUndone = EventType(rawValue: "session.rotation.undone")
    /// Its `data` holds the `Revocation` that every verifier applies.
    package static let sessionRevoked = EventType(rawValue: "session.revoked")
    package static let deviceTrusted = EventType(rawValue: "session.device.trusted")
    package static let deviceForgotten = EventType(rawValue: "session.device.forgotten")
    /// A user who has signed in before did so with a device, or from a network, that they had not used.
    package static let deviceNew = EventType(rawValue: "session.device.new")
    package static let sessionExpired = EventType(rawValue: "session.expired")
    /// A refresh token older than the last two was presented: its family has been revoked.
    package static let refreshTokenReused = EventType(rawValue: "session.refresh_token.reused")
}

// MARK: - MFA, profile

extension EventType {
    package static let totpEnabled = EventType(rawValue: "mfa.totp.enabled")
    package static let totpDisabled = EventType(rawValue: "mfa.totp.disabled")
    package static let mfaVerified = EventType(rawValue: "mfa.challenge.verified")
    package static let mfaFailed = EventType(rawValue: "mfa.challenge.failed")
    package static let recoveryCodesGenerated = EventType(rawValue: "mfa.recovery_codes.generated")
    package static let recoveryCodeUsed = EventType(rawValue: "mfa.recovery_code.used")
    package static let passkeyRegistered = EventType(rawValue: "mfa.passkey.registered")
    package static let passkeyRenamed = EventType(rawValue: "mfa.passkey.renamed")
    package static let passkeyRemoved = EventType(rawValue: "mfa.passkey.removed")
    /// A passkey's counter fell: it may have been copied.
    package static let passkeySuspected = EventType(rawValue: "mfa.passkey.suspected")
    /// An administrator took a user's second factors away, so that they can set up new ones.
    package static let mfaReset = EventType(rawValue: "mfa.reset")
    package static let profileUpdated = EventType(rawValue: "profile.updated")
    package static let profileDeleted = EventType(rawValue: "profile.deleted")
    package static let customFieldsChanged = EventType(rawValue: "profile.custom_fields.changed")
    package static let avatarChanged = EventType(rawValue: "profile.avatar.changed")
}

// MARK: - Audit

extension EventType {
    package static let auditExported = EventType(rawValue: "audit.log.exported")
    /// Its `data` holds the signed statement.
    package static let checkpointSigned = EventType(rawValue: "audit.checkpoint.signed")
    package static let retentionChanged = EventType(rawValue: "audit.retention.changed")
    /// Its subject is the month: `2024-10`.
    package static let retentionDropped = EventType(rawValue: "audit.retention.dropped")
    package static let streamResolved = EventType(rawValue: "audit.stream.resolved")
    package static let auditGapDetected = EventType(rawValue: "audit.stream.gap_detected")
    package static let auditGapHealed = EventType(rawValue: "audit.stream.gap_healed")
    package static let deadLetterRetried = EventType(rawValue: "audit.dead_letter.retried")
    package static let deadLetterDiscarded = EventType(rawValue: "audit.dead_letter.discarded")
}
