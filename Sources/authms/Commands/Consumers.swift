import ArgumentParser
import ConnectionKit
import Contracts
import Foundation
import LocalStack
import Logging
import MicroMiddleware
import RabbitMQ

struct Consumers: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Third parties that read events: each has a queue of its own and may do nothing but read it.",
        discussion: """
            On the private stack's broker. On another, `add --amqp-url URL` makes the queue, and prints what its administrator
            runs to make the user: AMQP has no words for users. `list` and `remove` know the private stack's alone.
            """, subcommands: [Add.self, List.self, Remove.self],
        defaultSubcommand: List.self)

    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Makes a queue, its bindings, and a user who may read that queue; prints the address once.",
            discussion: """
                The queue keeps up to 1 GiB of what is not read; then the oldest goes, which the reader notices by the gap in
                `sequence`. Again for the same name: a new password.
                """)

        @Argument(help: "Lower-case letters, digits and dashes.")
        var name: String
        @Option(
            help: "Which events, as a routing key: # is all, session.# those of sessions. May be given several times.")
        var types: [String] = ["#"]
        @Option(help: "Another broker than the private stack's: the address of a user who may configure it.")
        var amqpURL: String?
        @Flag(help: "Prints what was made as JSON.")
        var json = false

        func run() async throws {
            let consumer = try Consumer(name)
            if let amqpURL { return try await addElsewhere(consumer, amqpURL) }
            let plan = try Local.existingPlan()
            let password = Consumer.randomPassword()
            try await makeQueue(consumer, plan.rabbitMQ.url())
            let control = BrokerControl(plan.rabbitMQ)
            // A user who is there gets the new password; one who is not is made with it.
            if try await control.users().contains(consumer.user) {
                try await control.run(["change_password", consumer.user], secret: password)
            } else {
                try await control.run(["add_user", consumer.user], secret: password)
            }
            try await control.run(
                ["set_permissions", "-p", "/", consumer.user, "^$", "^$", consumer.queuePattern])
            let url = "amqp://\(consumer.user):\(password)@127.0.0.1:\(plan.rabbitMQ.port)/%2F"
            if json {
                try DeadLetters.printJSON(["name": name, "queue": consumer.queue, "user": consumer.user, "url": url])
            } else {
                Local.say("queue  \(consumer.queue)")
                Local.say("types  \(types.joined(separator: ", "))")
                Local.say("url    \(url)")
                Local.say(
                    "The password is shown this once. Messages are CloudEvents; acknowledge what you have stored.")
            }
        }

        private func makeQueue(_ consumer: Consumer, _ url: String) async throws {
            try await Consumers.withAdmin(url) { admin in
                try await admin.declare(.events, deadline: .after(.seconds(10)))
                try await admin.declare(consumer.topology(types), deadline: .after(.seconds(10)))
            }
        }

        private func addElsewhere(_ consumer: Consumer, _ url: String) async throws {
            try await makeQueue(consumer, url)
            let host = try RabbitMQConfiguration(url: url).virtualHost
            // The password is asked for, so that it is in no list of processes and in no history.
            let commands = [
                ["rabbitmqctl", "add_user", consumer.user],
                ["rabbitmqctl", "set_permissions", "-p", host, consumer.user, "^$", "^$", consumer.queuePattern],
            ]
            if json {
                return try DeadLetters.printJSON(
                    Elsewhere(name: name, queue: consumer.queue, user: consumer.user, commands: commands))
            }
            Local.say("queue  \(consumer.queue)")
            Local.say("types  \(types.joined(separator: ", "))")
            Local.say("The broker's administrator makes the user, who may read that queue and nothing else:")
            for command in commands {
                let quoted = command.map { $0.allSatisfy { $0.isLetter || "-_".contains($0) } ? $0 : "'\($0)'" }
                Local.say("    \(quoted.joined(separator: " "))")
            }
        }

        private struct Elsewhere: Encodable {
            let name: String
            let queue: String
            let user: String
            let commands: [[String]]
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "The consumers, and how much waits for each.")

        @Flag(help: "Prints them as JSON.")
        var json = false

        func run() async throws {
            let plan = try Local.existingPlan()
            let names = try await BrokerControl(plan.rabbitMQ).users().compactMap(Consumer.name(ofUser:)).sorted()
            var rows: [Row] = []
            try await Consumers.withAdmin(plan.rabbitMQ.url()) { admin in
                for name in names {
                    let state = try await admin.inspect(
                        queue: try Consumer(name).queue, deadline: .after(.seconds(5)))
                    rows.append(Row(name: name, waiting: state.messages, readers: state.consumers))
                }
            }
            if json { return try DeadLetters.printJSON(rows) }
            guard !rows.isEmpty else {
                return Local.say("There are no consumers. authms consumers add NAME makes one.")
            }
            for row in rows { Local.say("\(row.name)  \(row.waiting) messages wait, \(row.readers) read") }
        }

        struct Row: Encodable {
            let name: String
            let waiting: Int
            let readers: Int
        }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Takes a consumer's user and queue away, and with the queue what waits in it.")

        @Argument(help: "Its name.")
        var name: String

        func run() async throws {
            let consumer = try Consumer(name)
            let plan = try Local.existingPlan()
            let control = BrokerControl(plan.rabbitMQ)
            guard try await control.users().contains(consumer.user) else {
                throw LocalStackError(.refused, "There is no consumer \(name). See authms consumers list.")
            }
            try await control.run(["delete_user", consumer.user])
            var waiting = 0
            try await Consumers.withAdmin(plan.rabbitMQ.url()) { admin in
                waiting = try await admin.delete(queue: consumer.queue, deadline: .after(.seconds(10)))
            }
            Local.say("\(name) is gone, and \(waiting) messages that waited.")
        }
    }

    static func withAdmin(_ url: String, _ body: (RabbitMQAdmin) async throws -> Void) async throws {
        let admin = RabbitMQAdmin(
            configuration: try RabbitMQConfiguration(url: url),
            logger: Logger(label: "authms.consumers") { _ in SwiftLogNoOpLogHandler() })
        do {
            try await body(admin)
        } catch let error as RabbitMQError {
            await admin.close()
            throw Obstacle(what: "The broker cannot be asked", cause: error)
        } catch {
            await admin.close()
            throw error
        }
        await admin.close()
    }
}

/// What belongs to a consumer of that name on the broker.
struct Consumer {
    private static let userPrefix = "consumer-"
    let name: String

    init(_ name: String) throws {
        let isWellFormed =
            (1...40).contains(name.utf8.count)
            && name.utf8.allSatisfy { byte in
                byte == UInt8(ascii: "-") || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
            }
        guard isWellFormed else {
            throw LocalStackError(
                .usage, "\"\(name)\" cannot name a consumer: 1 to 40 lower-case letters, digits and dashes.")
        }
        self.name = name
    }

    static func name(ofUser user: String) -> String? {
        user.hasPrefix(userPrefix) ? String(user.dropFirst(userPrefix.count)) : nil
    }

    static func randomPassword() -> String {
        var generator = SystemRandomNumberGenerator()
        return Hex.text((0..<24).map { _ in UInt8.random(in: .min ... .max, using: &generator) })
    }

    var user: String { Self.userPrefix + name }
    var queue: String { "authms.consumer.\(name)" }
    var queuePattern: String { "^authms\\.consumer\\.\(name)$" }

    func topology(_ types: [String]) -> Topology {
        Topology(
            queues: [
                .quorum(queue, arguments: ["x-max-length-bytes": .int(1 << 30), "x-overflow": "drop-head"])
            ],
            bindings: types.map {
                Topology.Binding(queue: queue, exchange: EventTopology.exchange, routingKey: $0)
            })
    }
}
