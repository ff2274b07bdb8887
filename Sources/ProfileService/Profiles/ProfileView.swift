import Contracts
import Foundation

/// A profile as its reader sees it: the fields beside the user's id, and what else was asked for.
struct ProfileView: Encodable, Sendable {
    var userID: String
    var fields: [ProfileField: FieldValue]?
    var preferences: [String: Scalar]?
    var privacy: [ProfileField: Visibility]?

    private enum CodingKeys: String, CodingKey {
        case userID = "user_id"
        case preferences, privacy
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(userID, forKey: .userID)
        try container.encodeIfPresent(preferences, forKey: .preferences)
        try container.encodeIfPresent(privacy, forKey: .privacy)
        var values = encoder.container(keyedBy: ProfileField.self)
        for (field, value) in fields ?? [:] { try values.encode(value, forKey: field) }
    }
}

extension ProfileController {
    static let fields: @Sendable (Profile) -> ProfileView = {
        ProfileView(userID: $0.userID.text, fields: $0.fields)
    }
    static let preferences: @Sendable (Profile) -> ProfileView = {
        ProfileView(userID: $0.userID.text, preferences: $0.preferences)
    }
    /// Every field with who sees it, also where nothing was chosen.
    static let privacy: @Sendable (Profile) -> ProfileView = { profile in
        let all = ProfileField.allCases.map { ($0, profile.visibility(of: $0)) }
        return ProfileView(userID: profile.userID.text, privacy: Dictionary(uniqueKeysWithValues: all))
    }
}
