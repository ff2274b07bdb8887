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

    /// A layer that cannot be read at all.
    package static func unreadable(_ source: String, reason: String) -> ConfigurationError {
        ConfigurationError(subject: source, description: "\(source) cannot be read: \(reason)")
    }

    /// Two settings that contradict each other, or a rule that a combination breaks.
    package static func refused(_ subject: String, _ sentence: String) -> ConfigurationError {
        ConfigurationError(subject: subject, description: sentence)
    }
}
