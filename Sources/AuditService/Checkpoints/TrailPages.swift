import Foundation
import Postgres

/// A tenant's records in the order of their sequences, a thousand at a time: while some are checked, two backends read the
/// next, since reading takes the database longer than checking takes us. Constant memory.
struct TrailPages {
    /// The sequences of a page.
    private static let width: Int64 = 1_000

    let tenantID: UUID
    /// Two connections that see the same, or one twice.
    let lanes: (PostgresConnection, PostgresConnection)

    /// Hands over the rows after one sequence, up to another: ``AuditRecord/columns``, and `partition`, the id of the table
    /// that the row lies in.
    ///
    /// Pages are bounded by sequences, not by numbers of rows: two records of one sequence are never parted.
    func read(beyond position: Int64, upTo bound: Int64, _ body: (PostgresRow) throws -> Void) async throws {
        var end = position
        while let first = try await next(after: end, upTo: bound) {
            end = first - 1
            var pages = try await pair(after: end, upTo: bound)
            while pages.contains(where: { !$0.isEmpty }) {
                let start = Self.step(Self.step(end, bound), bound)
                async let following = pair(after: start, upTo: bound)
                for page in pages {
                    for row in page { try body(row) }
                }
                pages = try await following
                end = start
            }
        }
    }

    /// The next two pages.
    private func pair(after start: Int64, upTo bound: Int64) async throws -> [PostgresResult] {
        guard start < bound else { return [] }
        let middle = Self.step(start, bound)
        async let first = lanes.0.query(page(after: start, upTo: middle))
        async let second = lanes.1.query(page(after: middle, upTo: Self.step(middle, bound)))
        return [try await first, try await second]
    }

    /// With one record more than it has sequences: where there are more still, two of those claim one place, and that ends it.
    private func page(after start: Int64, upTo end: Int64) -> SQL {
        """
        SELECT \(AuditRecord.columns), tableoid::bigint AS partition FROM audit_records
        WHERE tenant_id = \(tenantID) AND sequence > \(start) AND sequence <= \(end)
        ORDER BY sequence LIMIT \(Self.width + 1)
        """
    }

    /// The first sequence after one that a record has: gaps may be wide.
    private func next(after start: Int64, upTo bound: Int64) async throws -> Int64? {
        guard start < bound else { return nil }
        let rows = try await lanes.0.query(
            """
            SELECT sequence FROM audit_records WHERE tenant_id = \(tenantID) AND sequence > \(start) AND sequence <= \(bound)
            ORDER BY sequence LIMIT 1
            """)
        return try rows.column("sequence", as: Int64.self).first
    }

    private static func step(_ start: Int64, _ bound: Int64) -> Int64 {
        let (end, isBeyond) = start.addingReportingOverflow(width)
        return isBeyond ? bound : min(end, bound)
    }
}
