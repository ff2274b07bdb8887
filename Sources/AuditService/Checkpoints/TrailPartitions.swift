import Contracts
import Postgres

/// Which month each partition holds, by its name and by its bounds: both must say the same, or a question for a month
/// looks into another's records.
struct TrailPartitions {
    private struct Partition {
        let name: String
        let bounds: String
        /// Milliseconds since 1970; nil when name and bounds contradict each other.
        let time: Range<Int64>?
    }

    private let partitions: [Int64: Partition]

    init(_ connection: PostgresConnection) async throws {
        let rows = try await connection.query(
            """
            SELECT pg_class.oid::bigint AS id, relname::text AS name, pg_get_expr(relpartbound, pg_class.oid) AS bounds
            FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
            WHERE inhparent = 'audit_records'::regclass
            """)
        partitions = try rows.reduce(into: [:]) { all, row in
            let name = try row.decode(String.self, "name")
            let bounds = try row.decode(String?.self, "bounds") ?? "none"
            all[try row.decode(Int64.self, "id")] = Partition(
                name: name, bounds: bounds, time: Self.time(name: name, bounds: bounds))
        }
    }

    private static func time(name: String, bounds: String) -> Range<Int64>? {
        let parts = name.split(separator: "_")
        guard parts.count == 4, let year = Int(parts[2]), let month = Int(parts[3]) else { return nil }
        func text(_ year: Int, _ month: Int) -> String {
            "\(year)-\(month < 10 ? "0" : "")\(month)-01"
        }
        let (first, next) = (text(year, month), month == 12 ? text(year + 1, 1) : text(year, month + 1))
        guard bounds == "FOR VALUES FROM ('\(first) 00:00:00+00') TO ('\(next) 00:00:00+00')",
            let start = EventTime("\(first)T00:00:00Z"), let end = EventTime("\(next)T00:00:00Z")
        else { return nil }
        return start.milliseconds..<end.milliseconds
    }

    /// Whether a record of that time, in milliseconds since 1970, belongs into the partition.
    func holds(_ time_ms: Int64, in id: Int64) -> Bool {
        partitions[id]?.time?.contains(time_ms) ?? false
    }

    /// - Returns: where the record lies, in words, if that is not where it belongs; nil when it is.
    func misplacement(of record: AuditRecord, in id: Int64) -> String? {
        guard let partition = partitions[id] else { return "a table that is no partition" }
        guard let time = partition.time else { return "\(partition.name), whose bounds are \(partition.bounds)" }
        return time.contains(record.occurredAt.milliseconds) ? nil : partition.name
    }
}
