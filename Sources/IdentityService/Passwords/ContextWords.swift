/// Words that whoever guesses a password for this installation tries first: the product's name, and what its operator adds
/// (the company, its products, its domain). A password that is little more than such words is refused.
package struct ContextWords: Sendable {
    /// So much of a password must be its own, in characters other than these words.
    package static let ownCharacters = 5

    private let words: [String]

    /// - Parameter words: of at least three characters each; shorter ones are in every other password and do not count.
    package init(_ words: [String]) {
        self.words = words.map { $0.lowercased() }.filter { $0.unicodeScalars.count >= 3 }
            .sorted { $0.unicodeScalars.count > $1.unicodeScalars.count }
    }

    /// Whether a password has one of the words in it and fewer than ``ownCharacters`` letters and digits beside them. Case
    /// does not matter.
    package func fill(_ password: String) -> Bool {
        var rest = password.lowercased()
        var isNamed = false
        for word in words where rest.contains(word) {
            isNamed = true
            rest = rest.replacing(word, with: " ")
        }
        return isNamed && rest.filter { $0.isLetter || $0.isNumber }.count < Self.ownCharacters
    }
}
