package import ConnectionKit
import Contracts
package import Foundation
package import MicroMiddleware
package import Postgres

/// Reads the trail: SQL only. Everything that is asked of one tenant's acts for that tenant, so that the database itself keeps
/// the others' out (migration 0008_row_security); a single read costs no round trip more.
package struct AuditReader: Sendable {
    private let database: PostgresClient

    package init(_ database: PostgresClient) {
        self.database = database
    }

    /// A page of records, the latest first, and how many there are in all, counted up to `Page.countedAhead` behind it.
    package func records(
        _ query: AuditQuery, page: Page, deadline: Deadline
    ) async throws -> (records: [AuditRecord], total: Int) {
        let records = try await database.query(Self.page(query, page), actingFor: query.tenantID, deadline: deadline)
            .decode(AuditRecord.self)
        // A page that is not full is the last one, and says how many there are by itself.
        if records.count < page.size, !records.isEmpty || page.offset == 0 {
            return (records, page.offset + records.count)
        }
        let count = try await database.query(
            Self.count(query, page), actingFor: query.tenantID, deadline: deadline)
        return (records, try count.first?.decode(Int.self, "total") ?? 0)
    }

    /// The statement that reads a page.
    package static func page(_ query: AuditQuery, _ page: Page) -> SQL {
        """
        SELECT \(AuditRecord.columns) FROM audit_records WHERE \(query.condition)
        ORDER BY occurred_at DESC, sequence DESC LIMIT \(page.size) OFFSET \(page.offset)
        """
    }

    /// The statement that counts.
    package static func count(_ query: AuditQuery, _ page: Page) -> SQL {
        """
        SELECT count(*) AS total FROM (
            SELECT FROM audit_records WHERE \(query.condition)
            ORDER BY occurred_at DESC LIMIT \(page.countBound)) counted
        """
    }

    /// A tenant's record.
    package func record(_ id: UUID, tenantID: UUID, deadline: Deadline) async throws -> AuditRecord? {
        try await database.query(
            "SELECT \(AuditRecord.columns) FROM audit_records WHERE id = \(id) AND tenant_id = \(tenantID)",
            actingFor: tenantID, deadline: deadline
        ).first()
    }

    /// A tenant's record by its place in the chain.
    package func record(at sequence: Int64, tenantID: UUID, deadline: Deadline) async throws -> AuditRecord? {
        try await database.query(
            "SELECT \(AuditRecord.columns) FROM audit_records WHERE sequence = \(sequence) AND tenant_id = \(tenantID)",
            actingFor: tenantID, deadline: deadline
        ).first()
    }

    /// How many records the query selects, by one of their columns.
    package func counts(
        _ query: AuditQuery, by column: StaticString, deadline: Deadline
    ) async throws -> [String: Int] {
        let rows = try await database.query(
            """
            SELECT \(unescaped: column) AS name, count(*) AS number FROM audit_records WHERE \(query.condition)
            GROUP BY 1 ORDER BY 2 DESC LIMIT 100
            """, actingFor: query.tenantID, deadline: deadline)
        return try rows.reduce(into: [:]) { $0[try $1.decode(String.self, "name")] = try $1.decode(Int.self, "number") }
    }

    /// How complete each source's stream is: of no tenant.
    package func streams(deadline: Deadline) async throws -> [StreamStatus] {
        try await database.query(
            """
            SELECT source, complete_to, hash, highest_position, head_position, head_checked_at, conflict,
                conflict_position, healed_events
            FROM audit_streams ORDER BY source
            """, deadline: deadline
        ).decode(StreamStatus.self)
    }

    /// The head of a tenant's chain.
    package func chain(of tenantID: UUID, deadline: Deadline) async throws -> TenantChain {
        try await database.query(
            "SELECT tenant_id, sequence, hash FROM audit_chains WHERE tenant_id = \(tenantID)", actingFor: tenantID,
            deadline: deadline
        ).first() ?? TenantChain(tenantID: tenantID)
    }

    /// Reads a tenant's chain, in constant memory, and finds the first record that is not as it was written.
    ///
    /// - Parameters:
    ///   - place: where an earlier reading stopped; the first record behind it must be linked to its hash. `nil` for the beginning.
    ///   - pause: when to stop, at the end of a part of 1,000 records, and say how far it came; at least one part is read.
    package func verify(
        tenantID: UUID, after place: TenantChain? = nil, until pause: Deadline? = nil, deadline: Deadline
    ) async throws -> ChainVerification {
        let start = place ?? TenantChain(tenantID: tenantID)
        return try await verify(after: start, until: pause ?? deadline, deadline: deadline)
    }

    private func verify(
        after start: TenantChain, until pause: Deadline, deadline: Deadline
    ) async throws -> ChainVerification {
        let tenantID = start.tenantID
        return try await database.withTransaction(deadline: deadline) { connection in
            // Head and records as of one moment, while others are written.
            try await connection.query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            // After that, which must be the transaction's first statement.
            try await connection.act(for: tenantID)
            let head: TenantChain =
                try await connection.query(
                    "SELECT tenant_id, sequence, hash FROM audit_chains WHERE tenant_id = \(tenantID)"
                ).first() ?? TenantChain(tenantID: tenantID)
            var verifier = ChainVerifier(after: start)
            var fault: ChainFault?
            var dropped = DroppedLeaves(tenantID: tenantID, after: start.sequence)
            var position = start.sequence
            // In parts: a stream cannot be left early without giving up its connection.
            while fault == nil, position < .max {
                // Never without having come further, or who goes on would go on for ever.
                if pause.hasPassed, verifier.verified > start.sequence { break }
                let bound = try await dropped.load(beyond: position, on: connection)
                let records = try await connection.query(
                    """
                    SELECT \(AuditRecord.columns) FROM audit_records
                    WHERE tenant_id = \(tenantID) AND sequence > \(position) AND sequence <= \(bound)
                    ORDER BY sequence LIMIT 1000
                    """
                ).decode(AuditRecord.self)
                for record in records where fault == nil {
                    verifier.skip(&dropped, upTo: (record.link?.sequence ?? 1) - 1)
                    fault = verifier.check(record)
                }
                position = records.last?.link?.sequence ?? bound
                if records.isEmpty, fault == nil { verifier.skip(&dropped, upTo: bound) }
            }
            let isComplete = position == .max
            if isComplete, fault == nil { fault = verifier.finish(head: head) }
            return ChainVerification(
                tenantID: tenantID, verified: verifier.verified, hash: verifier.currentHash,
                isComplete: isComplete || fault != nil, fault: fault)
        }
    }
}

/// What reading a chain found.
package struct ChainVerification: Sendable, Hashable {
    package let tenantID: UUID
    /// How many records from the beginning are as they were written.
    package let verified: Int64
    /// The hash of the last of them.
    package let hash: [UInt8]
    /// Whether there is nothing left to read: the chain's end was reached, or a fault. If not, reading goes on at ``place``.
    package let isComplete: Bool
    /// The first thing that is wrong; nil when what was read is whole.
    package let fault: ChainFault?

    /// How far it came.
    package var place: TenantChain { TenantChain(tenantID: tenantID, sequence: verified, hash: hash) }
}

/// How complete a source's stream is, for people.
package struct StreamStatus: Sendable, Hashable, PostgresRowDecodable {
    package let source: String
    package let completeTo: Int64
    package let hash: [UInt8]
    package let highest: Int64
    package let head: Int64
    package let headCheckedAt: Date?
    package let conflict: String?
    package let conflictPosition: Int64?
    package let healedEvents: Int64

    package init(row: PostgresRow) throws {
        source = try row.decode("source")
        completeTo = try row.decode("complete_to")
        hash = try row.decode("hash")
        highest = try row.decode("highest_position")
        head = try row.decode("head_position")
        headCheckedAt = try row.decode("head_checked_at")
        conflict = try row.decode("conflict")
        conflictPosition = try row.decode("conflict_position")
        healedEvents = try row.decode("healed_events")
    }

    /// `complete`, `behind` (nothing is missing in between), `gap` or `conflict`.
    package var state: String {
        if conflict != nil { return "conflict" }
        if highest > completeTo { return "gap" }
        return head > completeTo ? "behind" : "complete"
    }
}
