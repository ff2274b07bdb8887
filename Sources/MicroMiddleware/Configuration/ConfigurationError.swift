/// A setting that cannot be used, in one sentence that says which, where it came from and what was expected.
package struct ConfigurationError: Error, Hashable, CustomStringConvertible {
    /// The key, or the file that could not be read.
    package let subject: String
    /// The sentence.
    package let description: String

    /// A value that is not of its key's type or not in its range.
    package static func malformed(
        _ key: ConfigurationKeySummary, value: String, source: String
    ) -> ConfigurationError {
        let shown = key.isSecret ? "a value that is not shown" : "\"\(value)\""
        return ConfigurationError(
            subject: key.name, description: "\(key.name) is \(shown) in \(source), but must be \(key.type).")
    }

    /// A required key that no layer has.
    package static func missing(_ key: ConfigurationKeySummary) -> ConfigurationError {
        ConfigurationError(
            subject: key.name,
            description: "\(key.name) is not set: give \(key.type) in the environment variable "
                + "\(key.environmentName) or in the configuration file. \(key.meaning)")
    }

    /// A name that nothing reads; with the known one that it most resembles, if it resembles any.
    package static func unknown(_ name: String, source: String, known: Set<String>) -> ConfigurationError {
        let nearest = known.map { ($0, distance(name, $0)) }.min { ($0.1, $0.0) < ($1.1, $1.0) }
        let hint = nearest.flatMap { $0.1 <= max(2, name.count / 4) ? " Did you mean \($0.0)?" : nil } ?? ""
        return ConfigurationError(
            subject: name,
            description: "\(name) in \(source) is no setting: `authms config reference` lists them.\(hint)")
    }

    /// The number of letters to insert, remove or change that makes one word of the other (Levenshtein).
    private static func distance(_ first: String, _ second: String) -> Int {
        let letters = Array(second.unicodeScalars)
        var row = Array(0...letters.count)
        for (index, letter) in first.unicodeScalars.enumerated() {
            var diagonal = row[0]
            row[0] = index + 1
            for column in letters.indices {
                let change = diagonal + (letter == letters[column] ? 0 : 1)
                diagonal = row[column + 1]
                row[column + 1] = min(change, row[column] + 1, diagonal + 1)
            }
        }
        return row[letters.count]
    }

    /// A layer that cannot be read at all.
    package static func unreadable(_ source: String, reason: String) -> ConfigurationError {
        ConfigurationError(subject: source, description: "\(source) cannot be read: \(reason)")
    }

    /// Two settings that contradict each other, or a rule that a combination breaks.
    package static func refused(_ subject: String, _ sentence: String) -> ConfigurationError {
        ConfigurationError(subject: subject, description: sentence)
    }
}
