import ArgumentParser
import AuditService
import ConnectionKit
import Contracts
import Foundation
import LocalStack
import Logging
import MicroMiddleware
import Postgres

struct AuditStreams: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "streams",
        abstract: "How complete each service's stream of events is in the trail, and what contradicts it.",
        subcommands: [ListStreams.self, ResolveStream.self], defaultSubcommand: ListStreams.self)

    /// Runs `body` on the audit database; that it cannot be reached becomes a sentence.
    static func withDatabase<Value>(_ url: String?, _ body: (PostgresClient) async throws -> Value) async throws
        -> Value
    {
        let url = try url ?? Local.existingPlan().databases[.audit]?.ownURL ?? ""
        let database = PostgresClient(
            configuration: try PostgresConfiguration(url: url), logger: Logger(label: "authms.audit"))
        do {
            let value = try await body(database)
            await database.close()
            return value
        } catch {
            await database.close()
            guard error is PostgresError else { throw error }
            throw Obstacle(what: "The audit database cannot be read", cause: error)
        }
    }
}

struct ListStreams: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "How complete each stream is.",
        discussion: "Ends with 0 when no stream has a conflict, with 1 when one has.")

    @Option(help: "The audit database; read access is enough.")
    var databaseURL: String?

    @Flag(help: "Prints JSON.")
    var json = false

    func run() async throws {
        let streams = try await AuditStreams.withDatabase(databaseURL) {
            try await AuditReader($0).streams(deadline: .after(.seconds(10)))
        }
        if json {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            Local.say(String(decoding: try encoder.encode(streams.map(Line.init)), as: UTF8.self))
        } else {
            for stream in streams { describe(stream) }
        }
        guard streams.allSatisfy({ $0.conflict == nil }) else { throw ExitCode(1) }
    }

    private func describe(_ stream: StreamStatus) {
        let mark = stream.conflict == nil ? "✔" : "✘"
        Local.say(
            "\(mark) \(stream.source): \(stream.state), complete to \(stream.completeTo) of "
                + "\(max(stream.head, stream.highest)), \(stream.healedEvents) events healed")
        guard let conflict = stream.conflict else { return }
        Local.say("    at position \(stream.conflictPosition ?? 0): \(conflict)")
    }

    private struct Line: Encodable {
        let source: String
        let state: String
        let completeTo: Int64
        let highestPosition: Int64
        let headPosition: Int64
        let healedEvents: Int64
        let conflict: String?
        let conflictPosition: Int64?

        enum CodingKeys: String, CodingKey {
            case source, state, conflict
            case completeTo = "complete_to"
            case highestPosition = "highest_position"
            case headPosition = "head_position"
            case healedEvents = "healed_events"
            case conflictPosition = "conflict_position"
        }

        init(_ stream: StreamStatus) {
            source = stream.source
            state = stream.state
            completeTo = stream.completeTo
            highestPosition = stream.highest
            headPosition = stream.head
            healedEvents = stream.healedEvents
            conflict = stream.conflict
            conflictPosition = stream.conflictPosition
        }
    }
}
