package import Foundation

/// `POST /api/v1/internal/bootstrap`: creates the first administrator, once.
package struct BootstrapRequest: Codable, Sendable {
    package var email: String
    /// Without one, a one-time password is made up and answered.
    package var password: String?

    package init(email: String, password: String? = nil) {
        self.email = email
        self.password = password
    }
}

/// The answer. When an owner was there already nothing has happened, and there is no password to show.
package struct BootstrapAnswer: Codable, Sendable {
    package var created: Bool
    package var userID: UUID?
    package var email: String
    /// Shown once, to be changed at the first login.
    package var oneTimePassword: String?

    package init(created: Bool, userID: UUID? = nil, email: String, oneTimePassword: String? = nil) {
        self.created = created
        self.userID = userID
        self.email = email
        self.oneTimePassword = oneTimePassword
    }

    package enum CodingKeys: String, CodingKey {
        case created
        case userID = "user_id"
        case email
        case oneTimePassword = "one_time_password"
    }

    /// The identifier in lower case, as everywhere outside of Swift.
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(created, forKey: .created)
        try container.encodeIfPresent(userID?.text, forKey: .userID)
        try container.encode(email, forKey: .email)
        try container.encodeIfPresent(oneTimePassword, forKey: .oneTimePassword)
    }
}
