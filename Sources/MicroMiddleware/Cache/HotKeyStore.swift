package import ConnectionKit
internal import Foundation
package import Postgres

/// The keys that were asked for most, in the service's own database: what is loaded first when the cache is lost.
package struct HotKeyStore: Sendable {
    private let database: PostgresClient
    /// Rows at most.
    private let limit: Int

    package init(_ database: PostgresClient, limit: Int) {
        self.database = database
        self.limit = limit
    }

    /// Adds what was counted, all in one statement; what is not asked for any more loses half of its weight in an hour.
    package func add(_ counts: [HotKey: Int], deadline: Deadline) async throws {
        guard !counts.isEmpty else { return }
        let keys = counts.sorted { $0.value > $1.value }.prefix(limit)
        try await database.query(
            """
            WITH counted AS (
                INSERT INTO hot_keys (kind, tenant_id, id, weight, seen_at)
                SELECT kind, tenant_id, id, weight, now()
                FROM unnest(\(keys.map(\.key.kind)), \(keys.map(\.key.tenantID)), \(keys.map(\.key.id)),
                    \(keys.map { Double($0.value) })) AS k (kind, tenant_id, id, weight)
                ORDER BY kind, tenant_id, id
                ON CONFLICT (kind, tenant_id, id) DO UPDATE
                SET weight = \(Self.present) + excluded.weight, seen_at = excluded.seen_at
            )
            DELETE FROM hot_keys WHERE ctid IN (
                SELECT ctid FROM hot_keys ORDER BY \(Self.present) DESC OFFSET \(limit)
            )
            """, deadline: deadline)
    }

    /// The keys, the most wanted first.
    package func top(deadline: Deadline) async throws -> [HotKey] {
        try await database.query(
            "SELECT kind, tenant_id, id FROM hot_keys ORDER BY \(Self.present) DESC LIMIT \(limit)",
            deadline: deadline
        ).map { row in
            HotKey(
                kind: try row.decode(String.self, "kind"), tenantID: try row.decode(UUID.self, "tenant_id"),
                id: try row.decode(UUID.self, "id"))
        }
    }

    /// The weight as of now; the cap keeps a very old one from underflowing.
    private static let present: SQL =
        """
        hot_keys.weight * power(0.5, least(extract(epoch FROM now() - hot_keys.seen_at) / 3600, 500)::double precision)
        """
}
