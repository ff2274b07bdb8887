package import Foundation

/// What a person says about themselves. Whoever has said nothing yet has an empty one, of version 0.
package struct Profile: Sendable, Equatable, Codable {
    package let userID: UUID
    package let tenantID: UUID
    /// Rises by one with every change; never repeats for one user, not even after a deletion.
    package var version: Int64
    package var fields: [ProfileField: FieldValue]
    package var preferences: [String: Scalar]
    /// What differs from ``ProfileField/defaultVisibility``.
    package var privacy: [ProfileField: Visibility]

    package init(
        userID: UUID, tenantID: UUID, version: Int64 = 0, fields: [ProfileField: FieldValue] = [:],
        preferences: [String: Scalar] = [:], privacy: [ProfileField: Visibility] = [:]
    ) {
        self.userID = userID
        self.tenantID = tenantID
        self.version = version
        self.fields = fields
        self.preferences = preferences
        self.privacy = privacy
    }

    /// Who may see a field.
    package func visibility(of field: ProfileField) -> Visibility {
        privacy[field] ?? field.defaultVisibility
    }

    /// What other users of the tenant may see.
    package var visibleFields: [ProfileField: FieldValue] {
        fields.filter { visibility(of: $0.key) == .tenant }
    }

    /// Forgets everything but that there was something.
    package mutating func erase() {
        fields = [:]
        preferences = [:]
        privacy = [:]
    }
}

/// Who sees a field of a profile, beside its owner.
package enum Visibility: String, Sendable, Codable, CaseIterable {
    case `private`
    /// Every user of the same tenant.
    case tenant
}

/// The fields of a profile, by their names in the API.
package enum ProfileField: String, Sendable, Hashable, CaseIterable, CodingKey, CodingKeyRepresentable, Codable {
    case nickname, bio, gender, birthdate, language, timezone, country, city, address, website
    case firstName = "first_name"
    case lastName = "last_name"
    case avatarURL = "avatar_url"
    case socialLinks = "social_links"
    case customFields = "custom_fields"

    /// A nickname and a picture are there to be seen; the rest is its owner's until they say otherwise.
    package var defaultVisibility: Visibility {
        switch self {
        case .nickname, .avatarURL: .tenant
        default: .private
        }
    }
}

/// The value of a field: a text, or named values in ``ProfileField/socialLinks`` and ``ProfileField/customFields``.
package enum FieldValue: Sendable, Equatable, Codable {
    case text(String)
    case map([String: Scalar])

    package init(from decoder: any Decoder) throws {
        if let text = try? decoder.singleValueContainer().decode(String.self) {
            self = .text(text)
        } else {
            self = .map(try decoder.singleValueContainer().decode([String: Scalar].self))
        }
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .text(let text): try container.encode(text)
        case .map(let values): try container.encode(values)
        }
    }
}

/// A value without parts.
package enum Scalar: Sendable, Equatable, Codable {
    case text(String)
    case number(Double)
    case truth(Bool)

    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let truth = try? container.decode(Bool.self) {
            self = .truth(truth)
        } else if let number = try? container.decode(Double.self) {
            self = .number(number)
        } else if let text = try? container.decode(String.self) {
            self = .text(text)
        } else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "must be a string, a number, true or false")
        }
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .text(let text): try container.encode(text)
        case .number(let number): try container.encode(number)
        case .truth(let truth): try container.encode(truth)
        }
    }
}
