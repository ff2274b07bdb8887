import ArgumentParser
import AuditService
import ConnectionKit
import Foundation
import LocalStack
import Logging
import Postgres

struct AuditStreams: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "streams",
        abstract: "How complete each service's stream of events is in the trail, and what contradicts it.",
        discussion: "Ends with 0 when no stream has a conflict, with 1 when one has.")

    @Option(help: "The audit database; read access is enough.")
    var databaseURL: String?

    @Flag(help: "Prints JSON.")
    var json = false

    func run() async throws {
        let url = try databaseURL ?? Local.existingPlan().databases[.audit]?.ownURL ?? ""
        let database = PostgresClient(
            configuration: try PostgresConfiguration(url: url), logger: Logger(label: "authms.audit"))
        let streams: [StreamStatus]
        do {
            streams = try await AuditReader(database).streams(deadline: .after(.seconds(10)))
            await database.close()
        } catch {
            await database.close()
            throw LocalStackError(.failedToStart, "The audit database cannot be read: \(error)")
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
