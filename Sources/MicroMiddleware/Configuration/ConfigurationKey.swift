/// One thing that can be configured, declared once: the reader, the reference documentation and the guard all come from it.
///
/// Declare a service's own keys as static members and list them in its catalogue:
/// ```swift
/// extension ConfigurationKey<Duration> {
///     package static let sessionLifetime = duration(
///         "session.lifetime", default: .seconds(30 * 86_400), in: .seconds(60) ... .seconds(365 * 86_400),
///         "How long a session lives without being refreshed.")
/// }
/// let lifetime = try settings.value(.sessionLifetime)
/// ```
/// The environment variable is the name in upper case with `_` for `.`: `SESSION_LIFETIME`.
package struct ConfigurationKey<Value: Sendable>: Sendable {
    /// What the documentation says about the key.
    package let summary: ConfigurationKeySummary
    /// The value where no layer has one; `nil` makes the key required, or absent for ``ServiceSettings/valueIfPresent(_:)``.
    package let defaultValue: Value?
    /// Reads the text, or returns `nil` where it is not of the type or not within the range.
    package let parse: @Sendable (String) -> Value?

    /// A key of a type of one's own.
    /// - Parameters:
    ///   - type: What a value looks like, as the error sentence and the documentation put it: "an integer from 1 to 65535".
    ///   - render: The default as one would write it.
    package init(
        _ name: String, type: String, default defaultValue: Value?, isSecret: Bool = false, _ meaning: String,
        render: (Value) -> String, parse: @escaping @Sendable (String) -> Value?
    ) {
        self.summary = ConfigurationKeySummary(
            name: name, type: type, defaultText: defaultValue.map(render), meaning: meaning, isSecret: isSecret)
        self.defaultValue = defaultValue
        self.parse = parse
    }

    package var name: String { summary.name }
}

/// A key without its type: what documentation and guards need.
package struct ConfigurationKeySummary: Sendable, Hashable {
    /// Lower case, dotted: `http.port`.
    package let name: String
    /// What a value looks like, with unit and range.
    package let type: String
    /// The default as one would write it; `nil` when the key is required or simply absent by default.
    package let defaultText: String?
    /// What it does, in one sentence.
    package let meaning: String
    /// Whether its value must never be shown.
    package let isSecret: Bool

    /// The name of the environment variable: `HTTP_PORT`.
    package var environmentName: String {
        String(name.uppercased().map { $0 == "." || $0 == "-" ? "_" : $0 })
    }
}

extension ConfigurationKey<Int> {
    /// A whole number within `range`.
    package static func int(
        _ name: String, default defaultValue: Int? = nil, in range: ClosedRange<Int>, _ meaning: String
    ) -> ConfigurationKey<Int> {
        ConfigurationKey(
            name, type: "an integer from \(range.lowerBound) to \(range.upperBound)", default: defaultValue, meaning,
            render: { String($0) },
            parse: { text in Int(text).flatMap { range.contains($0) ? $0 : nil } })
    }
}

extension ConfigurationKey<Bool> {
    /// `true` or `false`, and nothing else.
    package static func bool(_ name: String, default defaultValue: Bool, _ meaning: String) -> ConfigurationKey<Bool> {
        ConfigurationKey(
            name, type: "true or false", default: defaultValue, meaning, render: { String($0) },
            parse: { Bool($0) })
    }
}

extension ConfigurationKey<String> {
    /// A text; empty is as good as absent.
    package static func string(
        _ name: String, default defaultValue: String? = nil, _ meaning: String
    ) -> ConfigurationKey<String> {
        ConfigurationKey(
            name, type: "a text", default: defaultValue, meaning, render: { $0 }, parse: { $0.isEmpty ? nil : $0 })
    }

    /// One of the listed words.
    package static func oneOf(
        _ name: String, _ words: [String], default defaultValue: String, _ meaning: String
    ) -> ConfigurationKey<String> {
        ConfigurationKey(
            name, type: "one of " + words.joined(separator: ", "), default: defaultValue, meaning, render: { $0 },
            parse: { words.contains($0) ? $0 : nil })
    }
}

extension ConfigurationKey<[String]> {
    /// Texts separated by commas, or a YAML list of texts.
    package static func strings(
        _ name: String, default defaultValue: [String], _ meaning: String
    ) -> ConfigurationKey<[String]> {
        ConfigurationKey(
            name, type: "texts separated by commas", default: defaultValue, meaning,
            render: { $0.joined(separator: ",") },
            parse: { text in text.split(separator: ",").map { trimmed($0) }.filter { !$0.isEmpty } })
    }
}

extension ConfigurationKey<Duration> {
    /// A duration with its unit: `250ms`, `30s`, `5m`, `1h`, `30d`.
    package static func duration(
        _ name: String, default defaultValue: Duration? = nil, in range: ClosedRange<Duration>, _ meaning: String
    ) -> ConfigurationKey<Duration> {
        let bounds = "\(DurationText.render(range.lowerBound)) to \(DurationText.render(range.upperBound))"
        return ConfigurationKey(
            name, type: "a duration from \(bounds) (250ms, 30s, 5m, 1h, 30d)", default: defaultValue, meaning,
            render: { DurationText.render($0) },
            parse: { text in DurationText.parse(text).flatMap { range.contains($0) ? $0 : nil } })
    }
}

extension ConfigurationKey<Secret<String>> {
    /// A text that is never shown. It has no default: a secret that ships with a program is none.
    package static func secret(
        _ name: String, minimumBytes: Int = 1, _ meaning: String
    ) -> ConfigurationKey<Secret<String>> {
        ConfigurationKey(
            name, type: "a secret of at least \(minimumBytes) bytes without blanks at its ends", default: nil,
            isSecret: true, meaning, render: { _ in "•••" },
            parse: { text in
                guard text.utf8.count >= minimumBytes, text == trimmed(text[...]) else { return nil }
                return Secret(text)
            })
    }
}

/// The text without blanks at its ends.
func trimmed(_ text: Substring) -> String {
    var rest = text
    while let first = rest.first, first.isWhitespace { rest.removeFirst() }
    while let last = rest.last, last.isWhitespace { rest.removeLast() }
    return String(rest)
}
