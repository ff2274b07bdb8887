package import Foundation
package import MicroMiddleware

/// What may stand in the fields of a profile.
package enum FieldRules {
    /// Named values that ``ProfileField/socialLinks``, ``ProfileField/customFields`` or the preferences may hold.
    package static let maximumEntries = 50
    /// Characters of such a name.
    package static let maximumNameLength = 64
    /// Characters of such a value.
    package static let maximumValueLength = 1_024

    /// What is wrong with a value, as a violation that names the field; nil when nothing is.
    package static func violation(_ value: FieldValue, in field: ProfileField, now: Date) -> Violation? {
        switch value {
        case .map(let values): return violation(values, in: field.rawValue, links: field == .socialLinks)
        case .text(let text):
            return fault(text, in: field, now: now).map { Violation(field: field.rawValue, message: $0) }
        }
    }

    /// The same for named values.
    package static func violation(_ values: [String: Scalar], in field: String, links: Bool = false) -> Violation? {
        guard values.count <= maximumEntries else {
            return Violation(field: field, message: "has more than \(maximumEntries) entries")
        }
        for (name, value) in values.sorted(by: { $0.key < $1.key }) {
            guard (1...maximumNameLength).contains(name.count), isPlain(name) else {
                return Violation(field: field, message: "has a name that is not 1 to \(maximumNameLength) characters")
            }
            if case .text(let text) = value, text.count > maximumValueLength || !isPlain(text) {
                return Violation(field: "\(field).\(name)", message: "is longer than \(maximumValueLength) characters")
            }
            if links {
                guard case .text(let text) = value, isWebAddress(text) else {
                    return Violation(field: "\(field).\(name)", message: "must be an http or https URL")
                }
            }
        }
        return nil
    }

    private static func fault(_ text: String, in field: ProfileField, now: Date) -> String? {
        guard isPlain(text) else { return "contains a NUL character" }
        guard text.count <= limit(field), text.utf8.count <= 4 * limit(field) else {
            return "is longer than \(limit(field)) characters"
        }
        switch field {
        case .birthdate: return isPastDate(text, now: now) ? nil : "must be a date like 1990-12-31, not in the future"
        case .language:
            return text.wholeMatch(of: /[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*/) == nil
                ? "must be a BCP 47 language tag like en or pt-BR" : nil
        case .timezone:
            return text == "UTC" || TimeZone.knownTimeZoneIdentifiers.contains(text)
                ? nil : "must be a time zone of the tz database like Europe/Berlin"
        case .country: return Countries.codes.contains(text) ? nil : "must be an ISO 3166-1 alpha-2 code like DE"
        case .website, .avatarURL: return isWebAddress(text) ? nil : "must be an http or https URL"
        default: return nil
        }
    }

    /// Characters that a field may hold.
    private static func limit(_ field: ProfileField) -> Int {
        switch field {
        case .bio: 2_000
        case .address: 500
        case .website, .avatarURL: 2_048
        case .gender: 50
        default: 100
        }
    }

    private static func isPlain(_ text: String) -> Bool {
        !text.utf8.contains(0)
    }

    /// RFC 3339, full-date.
    private static func isPastDate(_ text: String, now: Date) -> Bool {
        guard let match = text.wholeMatch(of: /([0-9]{4})-([0-9]{2})-([0-9]{2})/), let year = Int(match.1),
            let month = Int(match.2), let day = Int(match.3), year > 0
        else { return false }
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = .gmt
        let parts = DateComponents(year: year, month: month, day: day)
        guard parts.isValidDate(in: calendar), let date = calendar.date(from: parts) else { return false }
        return date <= now
    }

    private static func isWebAddress(_ text: String) -> Bool {
        guard let url = URLComponents(string: text), let scheme = url.scheme?.lowercased() else { return false }
        return ["http", "https"].contains(scheme) && !(url.host ?? "").isEmpty && url.user == nil
    }
}
