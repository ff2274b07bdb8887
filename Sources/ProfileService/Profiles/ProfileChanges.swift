import Foundation

/// The body of a change to the fields: those that are named are replaced, null clears, the rest stays.
struct FieldChanges: Decodable, Sendable {
    let values: [ProfileField: FieldValue]
    let cleared: [ProfileField]

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: ProfileField.self)
        var values: [ProfileField: FieldValue] = [:]
        var cleared: [ProfileField] = []
        for field in ProfileField.allCases where container.contains(field) {
            if try container.decodeNil(forKey: field) {
                cleared.append(field)
            } else if field == .socialLinks || field == .customFields {
                values[field] = .map(try container.decode([String: Scalar].self, forKey: field))
            } else {
                values[field] = .text(try container.decode(String.self, forKey: field))
            }
        }
        self.values = values
        self.cleared = cleared
    }

    /// The names of what changes, in a stable order: for the event.
    var names: String {
        (values.keys.map(\.rawValue) + cleared.map(\.rawValue)).sorted().joined(separator: ",")
    }

    /// - Throws: ``ProfileError/invalid(_:)`` with every field that is wrong.
    func validate(now: Date) throws {
        let violations = values.sorted { $0.key.rawValue < $1.key.rawValue }
            .compactMap { FieldRules.violation($0.value, in: $0.key, now: now) }
        guard violations.isEmpty else { throw ProfileError.invalid(violations) }
    }

    func apply(to profile: inout Profile) {
        profile.fields.merge(values) { _, new in new }
        for field in cleared { profile.fields[field] = nil }
    }
}

/// The body of a change to the preferences: named ones are replaced, null removes, the rest stays.
struct PreferenceChanges: Decodable, Sendable {
    let values: [String: Scalar?]

    init(from decoder: any Decoder) throws {
        values = try decoder.singleValueContainer().decode([String: Scalar?].self)
    }

    func apply(to profile: inout Profile) throws {
        for (name, value) in values { profile.preferences[name] = value }
        if let violation = FieldRules.violation(profile.preferences, in: "preferences") {
            throw ProfileError.invalid([violation])
        }
    }
}

/// The body of a change to the privacy: `{"bio": "tenant"}`.
struct PrivacyChanges: Decodable, Sendable {
    let values: [ProfileField: Visibility]

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: ProfileField.self)
        var values: [ProfileField: Visibility] = [:]
        for field in ProfileField.allCases where container.contains(field) {
            guard let value = Visibility(rawValue: try container.decode(String.self, forKey: field)) else {
                throw DecodingError.dataCorruptedError(
                    forKey: field, in: container, debugDescription: "must be private or tenant")
            }
            values[field] = value
        }
        self.values = values
    }
}
