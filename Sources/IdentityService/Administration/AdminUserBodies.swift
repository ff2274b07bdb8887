import Contracts
import Foundation
import Hummingbird
import MicroMiddleware

/// A member as the administrators of the tenant see one.
struct AdminUserView: Encodable, Sendable {
    let user: User

    init(_ user: User) {
        self.user = user
    }

    private enum CodingKeys: String, CodingKey {
        case membershipStatus = "membership_status"
        case isGuest = "is_guest"
        case lastLoginAt = "last_login_at"
    }

    func encode(to encoder: any Encoder) throws {
        try user.snapshot.encode(to: encoder)
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(user.membership.rawValue, forKey: .membershipStatus)
        try container.encode(user.isGuest, forKey: .isGuest)
        try container.encode(user.lastLoginAt, forKey: .lastLoginAt)
    }
}

struct CreatedUser: Encodable, Sendable {
    let user: AdminUserView
    let oneTimePassword: String?

    enum CodingKeys: String, CodingKey {
        case user
        case userID = "user_id"
        case oneTimePassword = "one_time_password"
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(user, forKey: .user)
        try container.encode(user.user.id.text, forKey: .userID)
        try container.encodeIfPresent(oneTimePassword, forKey: .oneTimePassword)
    }
}

struct ResetPassword: Encodable, Sendable {
    let oneTimePassword: String

    enum CodingKeys: String, CodingKey { case oneTimePassword = "one_time_password" }
}

struct StatusRequest: Decodable {
    let status: String
}

struct BatchRequest: Decodable {
    let users: [UserForm]
}

/// What became of each account, by its place in the request.
struct BatchAnswer: Encodable, Sendable {
    struct Result: Encodable, Sendable {
        let index: Int
        let userID: String?
        let oneTimePassword: String?
        let error: String?
        let violations: [Violation]?

        enum CodingKeys: String, CodingKey {
            case index
            case userID = "user_id"
            case oneTimePassword = "one_time_password"
            case error, violations
        }
    }

    let created: Int
    let failed: Int
    let results: [Result]

    init(_ outcomes: [UserCreationOutcome]) {
        results = outcomes.enumerated().map { index, outcome in
            switch outcome {
            case .created(let user, let password):
                return Result(
                    index: index, userID: user.id.text, oneTimePassword: password, error: nil, violations: nil)
            case .refused(let error):
                let answer = error.apiError
                let violations = answer.violations.map {
                    Violation(field: "users[\(index)].\($0.field)", message: $0.message)
                }
                return Result(
                    index: index, userID: nil, oneTimePassword: nil, error: answer.code.name, violations: violations)
            }
        }
        created = results.count { $0.userID != nil }
        failed = results.count - created
    }
}

struct UserChangesRequest: Decodable {
    let email: String?
    let username: String?
    let phone: String?
    let name: FieldChange<String>

    enum CodingKeys: String, CodingKey {
        case email, username, phone, name
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        email = try container.decodeIfPresent(String.self, forKey: .email)
        username = try container.decodeIfPresent(String.self, forKey: .username)
        phone = try container.decodeIfPresent(String.self, forKey: .phone)
        name = try container.decodeChange(String.self, forKey: .name)
    }

    /// - Throws: ``IdentityError/invalid(_:)`` naming the field.
    func changes() throws(IdentityError) -> UserChanges {
        var changes = UserChanges()
        if let email { changes.email = try Identifier.email(email) }
        if let username { changes.username = try Identifier.username(username) }
        if let phone { changes.phone = try Identifier.phone(phone) }
        changes.name = try name.acceptedName()
        guard changes != UserChanges() else { throw .invalid("name", "or email, username or phone is needed") }
        return changes
    }
}

extension UserFilter {
    /// `q`, `identity`, `status`, `role`, `created_from`, `created_to`.
    /// - Throws: ``APIError`` 422001 naming the parameter.
    init(_ request: Request) throws {
        let query = request.uri.queryParameters
        self.init()
        if let text = query["q"].map(String.init), !text.isEmpty {
            guard text.unicodeScalars.count <= 100, !text.unicodeScalars.contains("\0") else {
                throw APIError.invalid("q", "must be a text of at most 100 characters")
            }
            self.text = Identifier.guess(text).key
        }
        if let text = query["identity"].map(String.init) {
            guard (1...254).contains(text.unicodeScalars.count), !text.unicodeScalars.contains("\0") else {
                throw APIError.invalid("identity", "must be a text of 1 to 254 characters")
            }
            identifier = Identifier.guess(text)
        }
        if let status = query["status"].map(String.init) {
            guard let known = UserFilterStatus(rawValue: status) else {
                throw APIError.invalid("status", "must be active, disabled or pending")
            }
            self.status = known
        }
        if let role = query["role"].map(String.init) {
            guard (2...32).contains(role.utf8.count), !role.utf8.contains(0) else {
                throw APIError.invalid("role", "must be the name of a role")
            }
            self.role = role
        }
        createdFrom = try Self.time(query["created_from"], "created_from")
        createdBefore = try Self.time(query["created_to"], "created_to")
    }

    private static func time(_ text: Substring?, _ name: String) throws -> Date? {
        guard let text else { return nil }
        guard let time = Timestamp.parse(String(text)) else { throw APIError.invalid(name, "must be an RFC 3339 time") }
        return time
    }
}
