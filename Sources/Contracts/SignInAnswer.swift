/// What a login and a refresh answer.
package struct SignInAnswer: Codable, Sendable {
    package var accessToken: String
    /// `null` when the session service was away: the access token is good, and the session is adopted afterwards.
    package var refreshToken: String?
    /// Seconds.
    package var expiresIn: Int
    package var user: UserSnapshot
    /// Whether a new password must be chosen before the token carries any role.
    package var mustChangePassword: Bool
    /// Whether a dependency was away, so that less was given than usual.
    package var degraded: Bool
    /// What the next login on this device gives instead of a second factor, where the user asked to be remembered.
    package var deviceToken: String?

    package init(
        accessToken: String, refreshToken: String?, expiresIn: Int, user: UserSnapshot, mustChangePassword: Bool,
        degraded: Bool = false
    ) {
        self.accessToken = accessToken
        self.refreshToken = refreshToken
        self.expiresIn = expiresIn
        self.user = user
        self.mustChangePassword = mustChangePassword
        self.degraded = degraded
    }

    private enum CodingKeys: String, CodingKey {
        case accessToken = "access_token"
        case refreshToken = "refresh_token"
        case expiresIn = "expires_in"
        case tokenType = "token_type"
        case user
        case userID = "user_id"
        case mustChangePassword = "must_change_password"
        case degraded
        case deviceToken = "device_token"
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(accessToken, forKey: .accessToken)
        try container.encode(refreshToken, forKey: .refreshToken)
        try container.encode(expiresIn, forKey: .expiresIn)
        try container.encode("Bearer", forKey: .tokenType)
        try container.encode(user, forKey: .user)
        try container.encode(user.id.text, forKey: .userID)
        if mustChangePassword { try container.encode(true, forKey: .mustChangePassword) }
        if degraded { try container.encode(true, forKey: .degraded) }
        try container.encodeIfPresent(deviceToken, forKey: .deviceToken)
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            accessToken: try container.decode(String.self, forKey: .accessToken),
            refreshToken: try container.decodeIfPresent(String.self, forKey: .refreshToken),
            expiresIn: try container.decode(Int.self, forKey: .expiresIn),
            user: try container.decode(UserSnapshot.self, forKey: .user),
            mustChangePassword: try container.decodeIfPresent(Bool.self, forKey: .mustChangePassword) ?? false,
            degraded: try container.decodeIfPresent(Bool.self, forKey: .degraded) ?? false)
    }
}
