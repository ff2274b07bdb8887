import ArgumentParser
import AuditService
import Gateway
import IdentityService
import MFAService
import MicroMiddleware
import SessionService

struct Config: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "What can be configured.", subcommands: [Reference.self])

    struct Reference: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Prints every key with type, range, default and meaning, as Markdown.")

        func run() {
            Local.say(ConfigurationReference.catalogue.markdown)
        }
    }
}

/// Every key of every service.
enum ConfigurationReference {
    static let catalogue = ConfigurationCatalogue(services: [
        ConfigurationCatalogue.Section("Cache and warm-up: identity, session, profile", WarmupConfiguration.keys),
        ConfigurationCatalogue.Section("Identity", IdentityConfiguration.keys),
        ConfigurationCatalogue.Section("Session", SessionConfiguration.keys),
        ConfigurationCatalogue.Section("MFA", MFAConfiguration.keys),
        ConfigurationCatalogue.Section("Audit", AuditConfiguration.keys),
        gatewayConfigurationSection,
    ])

    /// The names that a setting may have.
    static let names = Set(catalogue.sections.flatMap { $0.keys.map(\.name) })

    /// The environment variables that settings are read from.
    static let environmentNames = Set(catalogue.sections.flatMap { $0.keys.map(\.environmentName) })
}
