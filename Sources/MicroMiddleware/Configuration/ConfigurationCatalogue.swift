/// The list of keys that documentation and guards are made from.
package struct ConfigurationCatalogue: Sendable {
    /// A titled run of keys: what all services share, or what one has of its own.
    package struct Section: Sendable {
        package let title: String
        package let keys: [ConfigurationKeySummary]

        package init(_ title: String, _ keys: [ConfigurationKeySummary]) {
            self.title = title
            self.keys = keys
        }
    }

    package let sections: [Section]

    /// The common keys, followed by the sections of the services.
    package init(services: [Section] = []) {
        self.sections = [Section("Every service", Self.common)] + services
    }

    /// The keys that more than one service reads.
    package static let common: [ConfigurationKeySummary] = [
        ConfigurationKey<String>.httpHost.summary,
        ConfigurationKey<Int>.httpPort(default: 11_080).summary,
        ConfigurationKey<Duration>.requestTimeout.summary,
        ConfigurationKey<Duration>.drainDelay.summary,
        ConfigurationKey<Duration>.shutdownTimeout.summary,
        ConfigurationKey<String>.secretsDirectory.summary,
        ConfigurationKey<String>.databaseURL.summary,
        ConfigurationKey<String>.databaseMigrationURL.summary,
        ConfigurationKey<Int>.databasePoolSize.summary,
        ConfigurationKey<Bool>.databaseMigrate.summary,
        ConfigurationKey<String>.migrationsDirectory.summary,
        ConfigurationKey<String>.documentsDirectory.summary,
        ConfigurationKey<String>.redisURL.summary,
        ConfigurationKey<String>.rabbitMQURL.summary,
        ConfigurationKey<RetrySchedule>.retryDelays.summary,
        ConfigurationKey<Int>.messagingPrefetch.summary,
        ConfigurationKey<Int>.messagingBatchSize.summary,
        ConfigurationKey<String>.keysDirectory.summary,
        ConfigurationKey<String>.publicKeysFile.summary,
        ConfigurationKey<Duration>.keysReloadInterval.summary,
        ConfigurationKey<Secret<String>>.jwtSecret.summary,
        ConfigurationKey<Secret<String>>.previousJWTSecret.summary,
        ConfigurationKey<String>.tokenIssuer.summary,
        ConfigurationKey<String>.tokenAudience.summary,
        ConfigurationKey<Duration>.tokenLifetime.summary,
        ConfigurationKey<Secret<String>>.internalSecret.summary,
        ConfigurationKey<Secret<String>>.passwordPepper.summary,
        ConfigurationKey<Secret<String>>.previousPasswordPepper.summary,
        ConfigurationKey<String>.identityURL.summary,
        ConfigurationKey<String>.profileURL.summary,
        ConfigurationKey<String>.sessionURL.summary,
        ConfigurationKey<String>.mfaURL.summary,
        ConfigurationKey<String>.auditURL.summary,
        ConfigurationKey<String>.logLevel.summary,
    ]

    /// The reference documentation: a Markdown table a section.
    package var markdown: String {
        sections.map(Self.table).joined(separator: "\n")
    }

    private static func table(_ section: Section) -> String {
        var lines = [
            "## \(section.title)", "",
            "| key | environment | value | default | meaning |", "|---|---|---|---|---|",
        ]
        for key in section.keys {
            let defaultText = key.defaultText.map { $0.isEmpty ? "empty" : "`\($0)`" } ?? "none"
            let cells = ["`\(key.name)`", "`\(key.environmentName)`", key.type, defaultText, key.meaning]
            lines.append("| " + cells.map(escaped).joined(separator: " | ") + " |")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func escaped(_ cell: String) -> String {
        cell.split(separator: "|", omittingEmptySubsequences: false).joined(separator: "\\|")
    }
}
