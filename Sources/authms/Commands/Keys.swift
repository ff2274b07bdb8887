import ArgumentParser
import Foundation
import Gateway
import LocalStack
import MicroMiddleware

struct Keys: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "The keys that sign tokens: list, make and rotate them.",
        discussion: """
            To rotate: `add` a key, wait for those who verify, `promote` it, and `remove` the old one when the last token that it \
            signed has expired. A stolen one: the same without waiting, and `remove --refuse-its-tokens`. Each process \
            takes a change up within KEYS_RELOAD_INTERVAL, without a restart.
            """,
        subcommands: [Generate.self, List.self, Publish.self, Add.self, Promote.self, Remove.self],
        defaultSubcommand: List.self)

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

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "The keys of the ring: what each is for, its state, and whether it is published.")

        @OptionGroup var place: Place

        func run() throws {
            try Keys.show(try place.reading { ring throws(KeyRingError) in try ring.list() }, json: place.json)
        }
    }

    struct Publish: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Writes jwks.json, by which everybody else verifies, anew from ring.json.",
            discussion: "The other commands do so themselves; this is for a ring.json that was changed by hand.")

        @OptionGroup var place: Place

        func run() async throws {
            let keys = try place.reading { ring throws(KeyRingError) in try ring.publish() }
            try Keys.show(keys, json: place.json)
            guard !place.json else { return }
            Local.say("These keys verify from now on, and no other: \(try await place.noticed()).")
        }
    }

    /// Which ring, and how to answer.
    struct Place: ParsableArguments {
        @Option(help: "The key ring's directory; without it the private stack's.")
        var directory: String?
        @Flag(help: "Prints the answer as JSON.")
        var json = false

        func ring() throws -> KeyRingDirectory {
            KeyRingDirectory(try directory ?? Local.layout().keysDirectory)
        }

        /// - Throws: `LocalStackError`: of wrong usage for what the ring refuses, of storage for what cannot be read or written.
        func reading<Value>(_ body: (KeyRingDirectory) throws(KeyRingError) -> Value) throws -> Value {
            let ring = try ring()
            do {
                return try body(ring)
            } catch {
                if case .refusedChange(let reason) = error { throw LocalStackError(.usage, Keys.sentence(reason)) }
                throw LocalStackError(.storage, "\(error)")
            }
        }

        /// How often the processes look at the ring, as far as it is known here.
        func interval() async throws -> Duration {
            let layout = try? Local.layout()
            let recorded = layout.flatMap { HandedOnSettings.recorded(in: $0) } ?? [:]
            let repository = layout?.repository ?? "."
            return try await ServiceSettings.load(
                service: ServiceRole.gateway.rawValue, environment: Local.environment.merging(recorded) { $1 },
                configDirectory: "\(repository)/configs", environmentFile: "\(repository)/.env"
            ).value(.keysReloadInterval)
        }

        func noticed() async throws -> String {
            "every process notices within \(DurationText.render(try await interval())) (KEYS_RELOAD_INTERVAL)"
        }

        /// How others are told to name the same ring.
        var option: String { directory.map { " --directory \($0)" } ?? "" }
    }

    static func show(_ keys: [KeyRingDirectory.Listing], json: Bool) throws {
        if json { return try DeadLetters.printJSON(keys) }
        var table = TextTable(headings: ["KID", "ALGORITHM", "FOR", "STATE", "PUBLISHED", "CREATED", "VERIFIES UNTIL"])
        table.rows = keys.map { key in
            [
                key.kid, key.algorithm.rawValue, "\(key.use.rawValue) tokens", key.state.rawValue,
                key.isPublished ? "yes" : "no", key.createdAt, key.verifiesUntil ?? "-",
            ]
        }
        for line in table.lines { Local.say(line) }
    }

    /// A reason as a sentence of its own.
    private static func sentence(_ reason: String) -> String {
        // A kid stays as it is spelled.
        let first = reason.prefix { $0 != " " }
        return first.allSatisfy(\.isLetter) ? reason.prefix(1).uppercased() + reason.dropFirst() : reason
    }
}
