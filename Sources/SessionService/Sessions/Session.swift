package import Contracts
package import Foundation

/// One sign-in on one device: which refresh token is in force, until when, and a snapshot of whose it is.
package struct Session: Sendable, Hashable, Identifiable {
    /// So many of a user's are listed at most.
    package static let mostListed = 200

    package enum Origin: String, Sendable, Hashable {
        /// Opened by the login itself.
        case login
        /// Taken in afterwards: this service was away at the login.
        case adopted
    }

    package struct End: Sendable, Hashable {
        package var at: Date
        package var reason: RevocationReason

        package init(at: Date, reason: RevocationReason) {
            self.at = at
            self.reason = reason
        }
    }

    package let id: UUID
    package let tenantID: UUID
    package let userID: UUID
    /// The generation of the one refresh token that rotates; the first is 0.
    package var generation: Int64
    /// Which edition of the token before the present one was exchanged for it (``RefreshFallbacks``).
    package var exchangedEdition: Int64 = 0
    package var rotatedAt: Date
    /// When the present refresh token expires: whole seconds, never after `absoluteExpiresAt`.
    package var idleExpiresAt: Date
    package var absoluteExpiresAt: Date
    package var authenticatedAt: Date
    /// `amr` (RFC 8176).
    package var methods: [String]
    package var mustChangePassword: Bool
    package var user: UserSnapshot
    /// Of which moment of identity's the roles in `user` are, where they have changed since the session began.
    package var rolesChangedAt: Date?
    /// When tokens with the roles of before were refused: those with the roles in `user` are good from then on.
    package var tokensRefusedAt: Date?
    /// What the user agent most likely is, in two or three words.
    package var device: String
    package var userAgent: String?
    /// Where it was opened from.
    package var ip: String?
    /// Where it was refreshed from last.
    package var lastIP: String?
    /// How long it lives without a refresh, where its tenant asks for something of its own.
    package var idleTimeout: Duration?
    package var origin: Origin
    package var createdAt: Date
    package var end: End?

    /// A session that begins now.
    package init(
        id: UUID, user: UserSnapshot, methods: [String], authenticatedAt: Date, mustChangePassword: Bool,
        userAgent: String?, ip: String?, origin: Origin, lifetime: SessionLifetime, policy: SessionPolicy? = nil,
        now: Date
    ) {
        let lifetime = lifetime.adapted(to: policy)
        let end = lifetime.absoluteExpiry(from: now)
        self.init(
            id: id, user: user, methods: methods, authenticatedAt: authenticatedAt,
            mustChangePassword: mustChangePassword, device: DeviceName.from(userAgent), userAgent: userAgent, ip: ip,
            origin: origin, lastIP: ip, idleTimeout: policy?.idleTimeoutSeconds == nil ? nil : lifetime.idle,
            generation: 0,
            rotatedAt: now, idleExpiresAt: lifetime.idleExpiry(from: now, within: end),
            absoluteExpiresAt: end, createdAt: now, end: nil)
    }

    /// What stands in for a session that ended before it was opened or adopted: it takes the id, and lasts no time at all, so
    /// that it is forgotten a week later as a session that has expired is.
    package static func tombstone(_ id: UUID, of userID: UUID, tenantID: UUID, at now: Date) -> Session {
        Session(
            id: id, user: UserSnapshot(id: userID, tenantID: tenantID, status: "active", roles: [], createdAt: now),
            methods: [], authenticatedAt: now, mustChangePassword: false, userAgent: nil, ip: nil, origin: .login,
            lifetime: SessionLifetime(idle: .zero, absolute: .zero), now: now)
    }

    /// Whether it never was a session: no list, no copy of somebody's data and no count has it.
    package var isTombstone: Bool { absoluteExpiresAt <= createdAt }

    /// A session as a store has it.
    init(
        id: UUID, user: UserSnapshot, methods: [String], authenticatedAt: Date, mustChangePassword: Bool,
        device: String, userAgent: String?, ip: String?, origin: Origin, lastIP: String?, idleTimeout: Duration?,
        generation: Int64, rotatedAt: Date,
        idleExpiresAt: Date, absoluteExpiresAt: Date, createdAt: Date, end: End?
    ) {
        self.id = id
        self.tenantID = user.tenantID
        self.userID = user.id
        self.generation = generation
        self.rotatedAt = rotatedAt
        self.idleExpiresAt = idleExpiresAt
        self.absoluteExpiresAt = absoluteExpiresAt
        self.authenticatedAt = authenticatedAt
        self.methods = methods
        self.mustChangePassword = mustChangePassword
        self.user = user
        self.device = device
        self.userAgent = userAgent
        self.ip = ip
        self.lastIP = lastIP
        self.idleTimeout = idleTimeout
        self.origin = origin
        self.createdAt = createdAt
        self.end = end
    }

    /// What it says was true then: at its last refresh, or when what it said before was refused since.
    package var confirmedAt: Date { max(rotatedAt, tokensRefusedAt ?? .distantPast) }

    /// Whether the session may be used at a moment.
    package func isAlive(at now: Date) -> Bool {
        end == nil && now < idleExpiresAt
    }
}

/// Why a session ended.
package enum RevocationReason: String, Sendable, Hashable {
    case logout
    case revokedByUser = "revoked_by_user"
    case refreshTokenReused = "refresh_token_reused"
    case passwordChanged = "password_changed"
    case userDisabled = "user_disabled"
    case userDeleted = "user_deleted"
    case membershipRemoved = "membership_removed"
    /// The tokens that carry the roles of before are refused; the session goes on.
    case rolesReduced = "roles_reduced"
    case administrator
    /// The login that it was opened for was refused after all.
    case loginRefused = "login_refused"
    /// A newer session of the same user took its place.
    case sessionLimit = "session_limit"
    /// The tenant's sessions were all ended.
    case tenantRevoked = "tenant_revoked"
}
