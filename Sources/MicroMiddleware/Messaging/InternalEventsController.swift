package import Contracts
internal import Foundation
package import Hummingbird
package import Postgres

/// What a source tells audit about its stream, on paths that only services may call: where it ends, and the events after
/// a position, so that whatever a broker lost is found and fetched.
package struct InternalEventsController: Sendable {
    private let stream: EventStream
    private let database: PostgresClient

    package init(source: EventSource, database: PostgresClient) {
        stream = EventStream(source: source)
        self.database = database
    }

    /// Adds `GET events/head`, `GET events?after=&limit=` and `POST events/reconciled` to a group at `api/v1/internal`.
    package func addRoutes(to group: RouterGroup<InternalRequestContext>) {
        group.get("events/head", use: head)
        group.get("events", use: events)
        group.post("events/reconciled", use: reconciled)
    }

    @Sendable private func head(_ request: Request, context: InternalRequestContext) async throws -> Envelope<
        StreamHeadAnswer
    > {
        let head = try await database.query(
            "SELECT position, hash, published_position, reconciled_position FROM stream_head",
            deadline: context.deadline
        ).first(StreamHead.self)
        guard let head else { throw EventStreamError(description: "stream_head has no row") }
        return Envelope(
            StreamHeadAnswer(source: stream.source, position: head.position, hash: Hex.text(head.hash)))
    }

    @Sendable private func events(_ request: Request, context: InternalRequestContext) async throws -> Envelope<
        StreamEventsAnswer
    > {
        let after = try Self.number("after", request, in: 0...Int.max, default: 0)
        let limit = try Self.number("limit", request, in: 1...500, default: 500)
        let rows = try await database.query(
            EventStream.eventsSQL(after: Int64(after), limit: limit), deadline: context.deadline)
        var texts: [String] = []
        var size = 0
        for event in try stream.events(rows) {
            let text = String(decoding: event.encoded(), as: UTF8.self)
            size += text.utf8.count
            // One event always fits: its data is at most 64 KiB.
            if size > Self.answerBytes, !texts.isEmpty { break }
            texts.append(text)
        }
        return Envelope(StreamEventsAnswer(source: stream.source, events: texts))
    }

    @Sendable private func reconciled(_ request: Request, context: InternalRequestContext) async throws -> Envelope<
        StreamReconciled
    > {
        guard context.caller == EventSource.audit.rawValue else {
            throw APIError(.permissionDenied, "Only audit may say what is in the audit trail.")
        }
        let body = try await request.decode(as: StreamReconciled.self, context: context)
        try await database.query(EventStream.reconciledSQL(upTo: body.position), deadline: context.deadline)
        return Envelope(body)
    }

    /// An answer stays below the limit that clients read.
    private static let answerBytes = 384 * 1_024

    private static func number(
        _ name: String, _ request: Request, in range: ClosedRange<Int>, default fallback: Int
    ) throws -> Int {
        guard let text = request.uri.queryParameters[Substring(name)] else { return fallback }
        guard let value = Int(text), range.contains(value) else {
            throw APIError.invalid(name, "must be an integer from \(range.lowerBound) to \(range.upperBound)")
        }
        return value
    }
}
