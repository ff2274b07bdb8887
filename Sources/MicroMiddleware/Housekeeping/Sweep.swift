package import Foundation
package import Postgres

/// Rows of a table that stop meaning anything as time goes by, and when.
package struct Sweep: Sendable {
    let name: StaticString
    private let key: StaticString
    private let condition: @Sendable (_ now: Date) -> SQL

    /// - Parameters:
    ///   - table: as the database calls it.
    ///   - key: a column that names a row.
    ///   - condition: what holds of the rows to delete at a moment; an index should find them.
    package init(
        _ table: StaticString, key: StaticString = "id", where condition: @escaping @Sendable (_ now: Date) -> SQL
    ) {
        name = table
        self.key = key
        self.condition = condition
    }

    package var table: String { name.description }

    /// Deletes at most `limit` of them. Replicas that sweep at the same time share the rows and wait for none.
    package func deletion(now: Date, limit: Int) -> SQL {
        """
        DELETE FROM \(unescaped: name) WHERE \(unescaped: key) IN (
            SELECT \(unescaped: key) FROM \(unescaped: name) WHERE \(condition(now))
            LIMIT \(limit) FOR UPDATE SKIP LOCKED)
        """
    }
}

extension Sweep {
    /// Ids of users whose data was erased: an event about them that comes later than this was lost long ago.
    package static let erasedUsers = Sweep("erased_users", key: "user_id") { now in
        "erased_at < \(now.addingTimeInterval(-90 * 86_400))"
    }
}
