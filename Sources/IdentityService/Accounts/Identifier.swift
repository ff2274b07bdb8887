import Foundation
import MicroMiddleware

/// What a person may be found by.
package enum IdentifierKind: String, Sendable, Hashable, CaseIterable {
    case email, username, phone
}

/// One name of a user, unique in its tenant.
///
/// The three kinds cannot be mistaken for each other: an e-mail address holds `@`, a phone number is nothing but digits
/// behind an optional `+`, and a username has at least one letter and no `@`. So one login field serves for all.
package struct Identifier: Sendable, Hashable {
    package let kind: IdentifierKind
    /// As it was typed, without blanks around it.
    package let text: String
    /// What it is compared by: NFKC, case-folded; digits alone for a phone number.
    package let key: String

    /// An e-mail address that could exist (RFC 5321's lengths, one `@`, a domain of at least two labels).
    package static func email(_ text: String) throws(IdentityError) -> Identifier {
        let identifier = Identifier(.email, text)
        guard Self.isEmail(identifier.key) else {
            throw .invalid("email", "must be an e-mail address like name@example.org")
        }
        return identifier
    }

    /// 3 to 64 letters, digits and `. _ -`, at least one of them a letter.
    package static func username(_ text: String) throws(IdentityError) -> Identifier {
        let identifier = Identifier(.username, text)
        let scalars = identifier.key.unicodeScalars
        let isAllowed = scalars.allSatisfy { scalar in
            scalar.properties.isAlphabetic || scalar.properties.numericType != nil
                || "._-".unicodeScalars.contains(scalar)
        }
        guard (3...64).contains(scalars.count), isAllowed, scalars.contains(where: \.properties.isAlphabetic) else {
            throw .invalid("username", "must be 3 to 64 letters, digits and . _ -, at least one of them a letter")
        }
        return identifier
    }

    /// An international number (E.164): `+` and 8 to 15 digits; blanks, dots, dashes and brackets are ignored.
    package static func phone(_ text: String) throws(IdentityError) -> Identifier {
        guard let key = Self.phoneKey(text) else {
            throw .invalid("phone", "must be an international number like +49 30 1234567")
        }
        return Identifier(kind: .phone, text: key, key: key)
    }

    /// What a login field most likely means. Never fails: what cannot exist will not be found.
    package static func guess(_ text: String) -> Identifier {
        if text.contains("@") { return Identifier(.email, text) }
        if let key = phoneKey(text) { return Identifier(kind: .phone, text: key, key: key) }
        return Identifier(.username, text)
    }

    private init(kind: IdentifierKind, text: String, key: String) {
        self.kind = kind
        self.text = text
        self.key = key
    }

    private init(_ kind: IdentifierKind, _ text: String) {
        let trimmed = text.trimmingCharacters(in: .whitespacesAndNewlines)
        self.init(kind: kind, text: trimmed, key: Self.fold(trimmed))
    }

    /// NFKC, lower case, and NFKC once more, since lower-casing may denormalise.
    private static func fold(_ text: String) -> String {
        if text.utf8.allSatisfy({ $0 < 0x80 }) { return text.lowercased() }
        return text.precomposedStringWithCompatibilityMapping.lowercased().precomposedStringWithCompatibilityMapping
    }

    private static func isEmail(_ key: String) -> Bool {
        guard key.utf8.count <= 254, let at = key.lastIndex(of: "@") else { return false }
        let (local, domain) = (key[..<at], key[key.index(after: at)...])
        guard (1...64).contains(local.utf8.count), !local.contains("@") else { return false }
        guard key.unicodeScalars.allSatisfy({ !$0.properties.isWhitespace && $0.value > 0x20 && $0.value != 0x7F })
        else { return false }
        let labels = domain.split(separator: ".", omittingEmptySubsequences: false)
        return labels.count >= 2
            && labels.allSatisfy { label in
                (1...63).contains(label.utf8.count) && label.first != "-" && label.last != "-"
                    && label.unicodeScalars.allSatisfy {
                        $0.properties.isAlphabetic || $0.properties.numericType != nil || $0 == "-"
                    }
            }
    }

    private static func phoneKey(_ text: String) -> String? {
        var rest = text.unicodeScalars.filter { !" \t.-()/".unicodeScalars.contains($0) }[...]
        if rest.first == "+" {
            rest = rest.dropFirst()
        } else if rest.starts(with: "00".unicodeScalars) {
            rest = rest.dropFirst(2)
        } else {
            return nil
        }
        guard (8...15).contains(rest.count), rest.first != "0", rest.allSatisfy({ ("0"..."9").contains($0) }) else {
            return nil
        }
        return "+" + String(String.UnicodeScalarView(rest))
    }
}
