package import ConnectionKit
package import Contracts
import Foundation
import MicroMiddleware
package import Postgres

/// The stream of a database that this process has itself: audit's own.
package struct LocalStreamOrigin: StreamOrigin {
    package let source: EventSource
    private let database: PostgresClient

    package init(source: EventSource, database: PostgresClient) {
        self.source = source
        self.database = database
    }

    package func head(deadline: Deadline) async throws -> StreamHeadAnswer {
        let head = try await database.query(
            "SELECT position, hash, published_position, reconciled_position FROM stream_head", deadline: deadline
        ).first(StreamHead.self)
        guard let head else { throw EventStreamError(description: "stream_head has no row") }
        return StreamHeadAnswer(source: source, position: head.position, hash: Hex.text(head.hash))
    }

    package func events(after position: Int64, deadline: Deadline) async throws -> [CloudEvent] {
        let rows = try await database.query(EventStream.eventsSQL(after: position, limit: 500), deadline: deadline)
        return try EventStream(source: source).events(rows)
    }

    package func reconciled(upTo position: Int64, deadline: Deadline) async throws {
        try await database.query(EventStream.reconciledSQL(upTo: position), deadline: deadline)
    }
}
