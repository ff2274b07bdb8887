import ArgumentParser
import Gateway
import MicroMiddleware

struct Config: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "What can be configured.", subcommands: [Reference.self])

    struct Reference: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Prints every key with type, range, default and meaning, as Markdown.")

        func run() {
            Local.say(ConfigurationCatalogue(services: [gatewayConfigurationSection]).markdown)
        }
    }
}
