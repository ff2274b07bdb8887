import ArgumentParser
import AuditService
import ConnectionKit
import Foundation
import LocalStack
import Logging
import MicroMiddleware
import Postgres
import RabbitMQ

struct DeadLetters: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dlq", abstract: "The messages that were given up: look at them, try them again, throw them away.",
        subcommands: [List.self, Show.self, Retry.self, Discard.self], defaultSubcommand: List.self)

    /// Where the broker and the audit trail are; the private stack's unless told.
    struct Place: ParsableArguments {
        @Option(help: "RabbitMQ: amqp://user:password@host:port/vhost.")
        var amqpURL: String?

        @Option(help: "The audit database, in whose trail every act is recorded.")
        var databaseURL: String?

        func validate() throws {
            guard (amqpURL == nil) == (databaseURL == nil) else {
                throw ValidationError(
                    "--amqp-url and --database-url go together: what is done to a suite's messages is in its own trail."
                )
            }
        }

        /// Runs `body` with a desk; its errors become sentences.
        func withDesk<Value>(_ body: (DeadLetterDesk) async throws -> Value) async throws -> Value {
            let url = try amqpURL ?? Local.existingPlan().rabbitMQ.url()
            let databaseURL = try databaseURL ?? Local.existingPlan().databases[.audit]?.ownURL ?? ""
            let logger = Logger(label: "authms.dlq") { _ in SwiftLogNoOpLogHandler() }
            let database = PostgresClient(configuration: try PostgresConfiguration(url: databaseURL), logger: logger)
            let desk = DeadLetterDesk(broker: try RabbitMQConfiguration(url: url), logger: logger) { event in
                try await database.query(Outbox.insertSQL(event), deadline: .after(.seconds(5)))
            }
            do {
                let value = try await body(desk)
                await database.close()
                return value
            } catch {
                await database.close()
                switch error {
                case DeadLetterError.unknown(let id):
                    throw LocalStackError(
                        .refused, "There is no dead letter \(id), or it is gone already. See authms dlq list.")
                case let error as RabbitMQError:
                    throw Obstacle(what: "The broker cannot be asked", cause: error)
                case let error as PostgresError:
                    throw Obstacle(
                        what: "Nothing was done, since it cannot be recorded in the audit database", cause: error)
                default: throw error
                }
            }
        }
    }

    static var deadline: Deadline { .after(.seconds(60)) }
    static var operatorName: String { ProcessInfo.processInfo.userName }

    static func printJSON(_ value: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        Local.say(String(decoding: try encoder.encode(value), as: UTF8.self))
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "What was given up, and why; the oldest first.")

        @OptionGroup var place: Place
        @Option(help: "How many at most.")
        var limit = 100
        @Flag(help: "Prints them as JSON.")
        var json = false

        func run() async throws {
            let letters = try await place.withDesk { try await $0.list(limit: limit, deadline: deadline) }
            if json { return try printJSON(letters.map { DeadLetterView($0) }) }
            guard !letters.isEmpty else { return Local.say("There are no dead letters.") }
            for letter in letters {
                Local.say("\(letter.id)  \(letter.queue)  \(letter.type ?? "no type")")
                Local.say(
                    "    \(letter.lastFailedAt ?? "time unknown"), tried \(letter.attempts)×: \(letter.lastError)")
            }
            Local.say(
                "\(letters.count) dead letters. authms dlq show ID, retry ID, retry --all, discard ID --reason TEXT")
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "One dead letter, its payload with secrets masked.")

        @OptionGroup var place: Place
        @Argument(help: "Its id, from the list.")
        var id: String
        @Flag(help: "Prints it as JSON.")
        var json = false

        func run() async throws {
            let letter = try await place.withDesk { try await $0.show(id, deadline: deadline) }
            if json { return try printJSON(DeadLetterView(letter, withPayload: true)) }
            let unknown = "unknown"
            Local.say("id            \(letter.id)")
            Local.say("queue         \(letter.queue)")
            Local.say("type          \(letter.type ?? unknown)")
            Local.say("tried         \(letter.attempts)×")
            Local.say("first failed  \(letter.firstFailedAt ?? unknown): \(letter.firstError)")
            Local.say("last failed   \(letter.lastFailedAt ?? unknown): \(letter.lastError)")
            Local.say(letter.maskedPayload)
        }
    }

    struct Retry: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Gives dead letters back to the queue that they died in.",
            discussion: "Twice is as good as once: consumers know what they have stored.")

        @OptionGroup var place: Place
        @Argument(help: "Its id, from the list.")
        var id: String?
        @Flag(help: "All that there are now.")
        var all = false

        func validate() throws {
            guard (id == nil) == all else { throw ValidationError("Give the id of one dead letter, or --all.") }
        }

        func run() async throws {
            let count = try await place.withDesk { try await $0.retry(id, by: operatorName, deadline: deadline) }
            Local.say(count == 1 ? "1 dead letter is tried again." : "\(count) dead letters are tried again.")
        }
    }

    struct Discard: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Throws a dead letter away for good. Who did it and why is in the audit trail.")

        @OptionGroup var place: Place
        @Argument(help: "Its id, from the list.")
        var id: String
        @Option(help: "Why, for the audit trail.")
        var reason: String

        func validate() throws {
            guard (3...500).contains(reason.count) else {
                throw ValidationError("--reason must have 3 to 500 characters.")
            }
        }

        func run() async throws {
            try await place.withDesk {
                try await $0.discard(id, reason: reason, by: operatorName, deadline: deadline)
            }
            Local.say("\(id) is thrown away; the audit trail says so.")
        }
    }
}
