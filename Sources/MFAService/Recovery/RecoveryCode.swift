import Contracts
import Crypto
package import Foundation

/// A code that stands in for a lost authenticator, once: 24 characters of 32, so 120 bits, which nobody guesses, not even
/// whoever has its plain hash (ASVS 5.0, V6.5.2, asks for 112).
package struct RecoveryCode: Sendable, Hashable {
    /// How many a user gets at a time.
    package static let count = 10
    /// Characters of a code, dashes aside.
    package static let length = 24
    /// Without those that are mistaken for each other (Crockford's base32).
    private static let alphabet = Array("0123456789abcdefghjkmnpqrstvwxyz")

    /// As it is shown: six groups of four characters.
    package let text: String

    package init(text: String) {
        self.text = text
    }

    /// A set of new ones.
    package static func makeSet() -> [RecoveryCode] {
        var generator = SystemRandomNumberGenerator()
        return (0..<count).map { _ in
            let characters = (0..<length).map { _ in alphabet[Int(generator.next(upperBound: UInt(alphabet.count)))] }
            let groups = stride(from: 0, to: length, by: 4).map { String(characters[$0..<($0 + 4)]) }
            return RecoveryCode(text: groups.joined(separator: "-"))
        }
    }

    /// What the database has of it. Case, blanks and dashes do not matter, nor do the letters that look like digits.
    package func hash(for userID: UUID) -> [UInt8] {
        let canonical = String(
            text.lowercased().compactMap { character -> Character? in
                switch character {
                case "o": "0"
                case "i", "l": "1"
                case _ where character.isLetter || character.isNumber: character
                default: nil
                }
            })
        return Array(SHA256.hash(data: Array("authms recovery code\n\(userID.text)\n\(canonical)".utf8)))
    }
}

extension RecoveryCode: CustomStringConvertible, CustomReflectable {
    package var description: String { "•••" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}
