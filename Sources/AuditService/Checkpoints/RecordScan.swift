import Contracts
import Foundation
import MicroMiddleware
import Postgres

/// Checks a record by the bytes of its row, without making values of them: as ``ChainVerifier/check(_:)`` does, at a fraction of
/// what that costs. It knows only what is in order; whatever is not, is looked at again as a whole record.
struct RecordScan {
    /// How a column of ``AuditRecord/columns`` is hashed. The columns up to `recorded_at` are those of the payload, in its order,
    /// but for the sequence.
    private enum Kind {
        case uuid, time, number, bytes, optional, sequence
    }

    private static let payload: [Kind] =
        [.uuid, .time, .uuid, .sequence, .bytes, .bytes, .optional]
        + [Kind](repeating: .bytes, count: 6) + [Kind](repeating: .optional, count: 4)
        + [.bytes, .bytes, .number, .bytes, .time]
    private static let (idColumn, timeColumn, tenantColumn, sequenceColumn) = (0, 1, 2, 3)
    private static let (payloadHashColumn, previousHashColumn, hashColumn, partitionColumn) = (22, 23, 24, 25)
    /// From 2000-01-01, where PostgreSQL's time begins, back to 1970.
    private static let epoch_ms: Int64 = 946_684_800_000

    private let tenantID: UUID
    private let tenantText: String
    private var fields = FieldHash()

    init(tenantID: UUID) {
        self.tenantID = tenantID
        tenantText = tenantID.text
    }

    /// - Parameters:
    ///   - row: the columns of ``AuditRecord/columns``, and the id of its partition.
    ///   - sequence: the place that the record must have.
    ///   - previous: the hash before it.
    /// - Returns: the record's hash, its time in milliseconds since 1970 and its partition, where it is as it was written and
    ///   follows on; nil otherwise.
    mutating func check(
        _ row: PostgresRow, sequence: Int64, previous: [UInt8]
    ) -> (hash: [UInt8], time_ms: Int64, partition: Int64)? {
        guard number(row, Self.sequenceColumn) == sequence, uuid(row, Self.tenantColumn) == tenantID,
            let id = uuid(row, Self.idColumn), let time_ms = milliseconds(row, Self.timeColumn),
            let partition = number(row, Self.partitionColumn), hashPayload(row),
            row.withBytes(at: Self.previousHashColumn, { $0?.elementsEqual(previous) ?? false })
        else {
            fields.clear()
            return nil
        }
        fields.add(TenantChain.domain)
        fields.add(tenantText)
        fields.add(sequence)
        fields.add(id.text)
        row.withBytes(at: Self.payloadHashColumn) { if let bytes = $0 { fields.add(bytes) } }
        fields.add(previous)
        return row.withBytes(at: Self.hashColumn) { bytes in
            guard let bytes, fields.isFinished(by: bytes) else { return nil }
            return ([UInt8](bytes), time_ms, partition)
        }
    }

    /// Whether the payload's hash is that of its columns.
    private mutating func hashPayload(_ row: PostgresRow) -> Bool {
        fields.clear()
        fields.add(TenantChain.payloadDomain)
        for (column, kind) in Self.payload.enumerated() {
            guard add(row, column, kind) else { return false }
        }
        return row.withBytes(at: Self.payloadHashColumn) { bytes in bytes.map { fields.isFinished(by: $0) } ?? false }
    }

    private mutating func add(_ row: PostgresRow, _ column: Int, _ kind: Kind) -> Bool {
        switch kind {
        case .sequence: return true
        case .uuid:
            guard let id = uuid(row, column) else { return false }
            fields.add(id.text)
        case .time:
            guard let time = milliseconds(row, column) else { return false }
            fields.add(EventTime(milliseconds: time).text)
        case .number:
            guard let number = number(row, column) else { return false }
            fields.add(number)
        case .bytes, .optional:
            return row.withBytes(at: column) { bytes in
                if let bytes {
                    fields.add(bytes)
                } else if kind == .optional {
                    fields.add(optional: nil)
                } else {
                    return false
                }
                return true
            }
        }
        return true
    }

    // MARK: - Cells

    private func uuid(_ row: PostgresRow, _ column: Int) -> UUID? {
        row.withBytes(at: column) { bytes in
            bytes.flatMap { $0.count == 16 ? UUID(uuid: $0.loadUnaligned(as: uuid_t.self)) : nil }
        }
    }

    private func number(_ row: PostgresRow, _ column: Int) -> Int64? {
        row.withBytes(at: column) { bytes in
            bytes.flatMap { $0.count == 8 ? Int64(bigEndian: $0.loadUnaligned(as: Int64.self)) : nil }
        }
    }

    /// - Returns: nil where there are fractions of a millisecond, too, which no record has.
    private func milliseconds(_ row: PostgresRow, _ column: Int) -> Int64? {
        guard let microseconds = number(row, column), microseconds.isMultiple(of: 1_000) else { return nil }
        return microseconds / 1_000 + Self.epoch_ms
    }
}
