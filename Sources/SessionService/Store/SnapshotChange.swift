import Contracts
package import Foundation

/// What an event of identity changes in the snapshots of a user's sessions.
package struct SnapshotChange: Sendable, Hashable {
    package var name: String?
    /// Whether the user has no name any more.
    package var clearsName: Bool
    package var username: String?
    package var mustChangePassword: Bool?
    /// Only of sessions authenticated until then; nil for all.
    package var authenticatedUntil: Date?

    package init(
        name: String? = nil, clearsName: Bool = false, username: String? = nil, mustChangePassword: Bool? = nil,
        authenticatedUntil: Date? = nil
    ) {
        self.authenticatedUntil = authenticatedUntil
        self.name = name
        self.clearsName = clearsName
        self.username = username
        self.mustChangePassword = mustChangePassword
    }

    package func apply(to session: inout Session) {
        if let authenticatedUntil, session.authenticatedAt > authenticatedUntil { return }
        if clearsName { session.user.name = nil }
        if let name { session.user.name = name }
        if let username { session.user.username = username }
        if let mustChangePassword { session.mustChangePassword = mustChangePassword }
    }
}

/// What a user may do since a moment; what is `nil` stays as it is.
package struct RolesChange: Sendable, Hashable {
    /// How long before a sign-in a change may be dated that the sign-in did not see, in seconds: longer than any of identity's
    /// transactions lasts. What is older, and comes all the same, comes late or once more.
    package static let patience = 60.0

    package var roles: [String]?
    package var permissions: [String]?
    /// By identity's database, whose clock dates sign-ins, too.
    package var changedAt: Date
    /// What it comes of, where that may come again.
    package var cause: SessionCause?

    package init(roles: [String]?, permissions: [String]?, changedAt: Date, cause: SessionCause? = nil) {
        self.cause = cause
        self.roles = roles
        self.permissions = permissions
        self.changedAt = changedAt
    }

    /// When identity read the roles that a session began with: as it was opened, which after a change of tenants may be hours
    /// after the sign-in; but at the sign-in where it was adopted, however long that took.
    private static func rolesReadAt(_ session: Session) -> Date {
        session.origin == .adopted ? session.authenticatedAt : max(session.authenticatedAt, session.createdAt)
    }

    /// Does nothing to a session that has the roles of a later change, or began after it.
    package func apply(to session: inout Session) {
        guard session.rolesChangedAt ?? (Self.rolesReadAt(session) - Self.patience) <= changedAt else { return }
        if let roles { session.user.roles = roles }
        if let permissions { session.user.permissions = permissions }
        session.rolesChangedAt = changedAt
    }
}
