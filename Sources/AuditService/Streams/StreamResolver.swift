package import ConnectionKit
import Contracts
import Foundation
import MicroMiddleware
package import Postgres

/// Why a conflict was not resolved.
package enum StreamResolverError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The stream has no conflict.
    case noConflict(source: String)
    /// The source said of its head, or of an event, what does not hang together: it is not a stream to go on with.
    case unusable(source: String, reason: String)

    package var description: String {
        switch self {
        case .noConflict(let source): "the stream of \(source) has no conflict"
        case .unusable(let source, let reason): "the stream of \(source) cannot be gone on with: \(reason)"
        }
    }
}

/// Ends a conflict between a source's stream and the trail, when somebody has found out how it came to be: a source that
/// was restored to an earlier time, above all.
///
/// No record is touched. Whatever of the source's stream is not in the trail is fetched first, then the stream goes on
/// from where the source stands. That it does, from where and why, is in the trail.
package struct StreamResolver: Sendable {
    private let origin: any StreamOrigin
    private let store: AuditStore
    private let database: PostgresClient

    package init(origin: any StreamOrigin, store: AuditStore, database: PostgresClient) {
        self.origin = origin
        self.store = store
        self.database = database
    }

    /// What resolving came to.
    package struct Resolution: Sendable, Hashable {
        /// Where the stream goes on: after this position of the source's.
        package let position: Int64
        /// Events of the source that had not been in the trail.
        package let fetched: Int
    }

    /// - Parameters:
    ///   - reason: for the trail.
    ///   - actor: who says so.
    /// - Throws: ``StreamResolverError``; what asking the source or writing the trail fails with: nothing is resolved then.
    package func resolve(reason: String, by actor: String, deadline: Deadline) async throws -> Resolution {
        let source = origin.source
        let before = try await store.progress(of: source, deadline: deadline)
        guard let conflict = before.conflict else { throw StreamResolverError.noConflict(source: source.uri) }
        let head = try await origin.head(deadline: deadline)
        guard let hash = Hex.bytes(head.hash, count: 32) else {
            throw StreamResolverError.unusable(source: source.uri, reason: "its head has no hash")
        }
        let fetched = try await fetch(upTo: head.position, hash: hash, deadline: deadline)
        let event = try DomainEvent(
            type: .streamResolved, subject: source.uri, tenantID: DefaultTenant.id,
            data: EventDetail(
                actorType: "operator", status: .success,
                message: "by \(actor): a stream in conflict goes on from where its source stands",
                details: [
                    "reason": reason, "conflict": conflict.reason, "conflict_position": "\(conflict.position)",
                    "was_complete_to": "\(before.completeTo)", "was_hash": Hex.text(before.hash),
                    "goes_on_after": "\(head.position)", "hash": head.hash, "fetched": "\(fetched)",
                ]))
        try await database.withTransaction(deadline: deadline) { connection in
            try await connection.query("SELECT pg_advisory_xact_lock(\(AuditStore.lockKey))")
            let changed = try await connection.query(
                """
                UPDATE audit_streams SET complete_to = \(head.position), hash = \(hash),
                    highest_position = \(head.position), conflict = NULL, conflict_position = NULL
                WHERE source = \(source.uri) AND conflict IS NOT NULL
                """)
            guard changed.affectedRows == 1 else { throw StreamResolverError.noConflict(source: source.uri) }
            try await connection.query("DELETE FROM audit_stream_ahead WHERE source = \(source.uri)")
            try await connection.query(Outbox.insertSQL(event))
        }
        return Resolution(position: head.position, fetched: fetched)
    }

    /// Stores all that the source still has, up to its head; what the trail has is recognised.
    private func fetch(upTo head: Int64, hash: [UInt8], deadline: Deadline) async throws -> Int {
        var position: Int64 = 0
        var last = hash
        var stored = 0
        while position < head {
            let events = try await origin.events(after: position, deadline: deadline).filter { $0.position <= head }
            guard let newest = events.last, newest.position > position else { break }
            stored += try await store.store(events, healed: true, deadline: deadline).stored
            (position, last) = (newest.position, newest.hash)
        }
        guard position == 0 || (position == head && last == hash) else {
            throw StreamResolverError.unusable(
                source: origin.source.uri, reason: "its events do not lead to its head at \(head)")
        }
        return stored
    }
}
