import CLibPQ
import ConnectionKit
import Synchronization

extension PostgresLink {
    /// Rows that are handed over at once at most: each hop to the connection's thread costs, and so does memory.
    private static let batchSize = 256

    /// Sends a statement whose rows `nextRows` then fetches.
    func beginStream(_ sql: SQL, lease: UInt64, deadline: Deadline) throws(PostgresError) {
        let native = try ready(for: lease, deadline: deadline)
        defer { settle() }
        try parameters.encode(sql)
        let statement = try prepare(sql.text, sql, native, deadline: deadline)
        let exchange = Exchange(native)
        try send(statement, native, exchange, deadline: deadline)
        guard PQsetSingleRowMode(native) == 1 else {
            finish(cancelling: true)
            throw PostgresError(.protocolViolation, detail: "single-row mode was refused")
        }
        do throws(PostgresError) {
            try flush(native, deadline: deadline)
        } catch {
            finish(cancelling: true)
            throw error.afterSending(exchange)
        }
        stream = statement
    }

    /// The rows that have arrived, at least one; `nil` after the last.
    func nextRows(lease: UInt64, deadline: Deadline) throws(PostgresError) -> [PostgresRow]? {
        guard currentLease.load(ordering: .acquiring) == lease, let native = handle.native else {
            throw PostgresError(
                .connectionLost(outcomeUnknown: false), detail: "the connection ended during the stream")
        }
        // The last rows and the end may have come together.
        guard let statement = stream else { return nil }
        defer { settle() }
        var rows: [PostgresRow] = []
        do throws(PostgresError) {
            while rows.count < Self.batchSize, rows.isEmpty || PQisBusy(native) == 0 {
                guard let result = try next(native, deadline: deadline) else {
                    stream = nil
                    return rows.isEmpty ? nil : rows
                }
                try take(result, statement, native, into: &rows)
            }
        } catch {
            finish(cancelling: true)
            throw error
        }
        return rows
    }

    private func take(
        _ result: OpaquePointer, _ statement: PreparedStatement, _ native: OpaquePointer, into rows: inout [PostgresRow]
    ) throws(PostgresError) {
        switch PQresultStatus(result) {
        case PGRES_SINGLE_TUPLE:
            rows.append(PostgresRow(storage: makeResult(result, statement).storage, index: 0))
        case PGRES_TUPLES_OK, PGRES_COMMAND_OK:
            PQclear(result)
        default:
            defer { PQclear(result) }
            throw serverError(result, native, Exchange(native))
        }
    }

    /// Ends a stream of which nobody wants the rest.
    func abandonStream(lease: UInt64) {
        guard currentLease.load(ordering: .acquiring) == lease, stream != nil else { return }
        finish(cancelling: true)
    }
}
