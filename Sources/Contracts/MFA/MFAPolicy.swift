/// What a tenant demands of its users beyond a password.
package struct MFAPolicy: Sendable, Hashable, Codable {
    package enum Mode: String, Sendable, Hashable, Codable, CaseIterable {
        /// Nobody is asked for a second factor, and nobody can set one up.
        case off
        /// Whoever has set one up is asked for it.
        case optional
        /// Everybody must have one.
        case required
        /// Whoever holds one of ``MFAPolicy/roles`` must have one.
        case requiredForRoles = "required_for_roles"
    }

    /// Names of roles that a policy may list.
    package static let maximumRoles = 32
    /// How many days a device may be remembered at most.
    package static let rememberDaysRange = 0...90

    package var mode: Mode
    package var roles: [String]
    /// For how many days a device on which somebody asked for it is not asked for the second factor again; 0 for never.
    package var rememberDays: Int

    /// Whether users have passkeys, and sign in with one alone.
    package var allowsPasskeys: Bool { mode != .off }

    package init(mode: Mode = .optional, roles: [String] = [], rememberDays: Int = 30) {
        self.mode = mode
        self.roles = roles
        self.rememberDays = rememberDays
    }

    package enum CodingKeys: String, CodingKey {
        case mode, roles
        case rememberDays = "remember_days"
    }

    /// Whether somebody with these roles must have a second factor.
    package func requires(of roles: [String]) -> Bool {
        switch mode {
        case .off, .optional: false
        case .required: true
        case .requiredForRoles: !Set(roles).isDisjoint(with: self.roles)
        }
    }
}
