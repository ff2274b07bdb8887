import ArgumentParser
import LocalStack
import MicroMiddleware

struct Keys: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "The keys that sign tokens.", subcommands: [Generate.self])

    struct Generate: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract:
                "Makes a key ring: an ES256 key for access tokens, an HMAC key for refresh tokens, and jwks.json.",
            discussion: "A ring that is there is never touched.")

        @Option(help: "Where to; made if it is not there.")
        var directory: String

        func run() throws {
            do {
                try KeyRing.generate(directory: directory)
            } catch {
                throw LocalStackError(.storage, "\(error)")
            }
            Local.say("The key ring is in \(directory).")
        }
    }
}
