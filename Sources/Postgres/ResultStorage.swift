import CLibPQ

/// The columns of a result: kept with the prepared statement, since every execution has the same ones.
final class ResultColumns: Sendable {
    let names: [String]
    let types: [PostgresType]

    init(_ result: OpaquePointer) {
        let count = PQnfields(result)
        names = (0..<count).map { column in PQfname(result, column).map { String(cString: $0) } ?? "" }
        types = (0..<count).map { PostgresType(rawValue: PQftype(result, $0)) }
    }

    func index(of name: String) -> Int? {
        names.firstIndex(of: name)
    }
}

/// Owns a `PGresult`. Nothing changes in it once it is here, and libpq's accessors only read: any thread may.
final class ResultStorage: @unchecked Sendable {
    private let result: OpaquePointer
    let columns: ResultColumns
    let rowCount: Int

    init(_ result: OpaquePointer, columns: ResultColumns) {
        self.result = result
        self.columns = columns
        rowCount = Int(PQntuples(result))
    }

    deinit {
        PQclear(result)
    }

    func isNull(row: Int, column: Int) -> Bool {
        PQgetisnull(result, CInt(row), CInt(column)) != 0
    }

    /// Calls `body` with the cell, or with `nil` for NULL.
    func withCell<Value>(
        row: Int, column: Int, _ body: (PostgresCell?) throws(PostgresCellMismatch) -> Value
    ) throws(PostgresCellMismatch) -> Value {
        guard !isNull(row: row, column: column) else { return try body(nil) }
        let start = PQgetvalue(result, CInt(row), CInt(column))
        let length = Int(PQgetlength(result, CInt(row), CInt(column)))
        let bytes = UnsafeRawBufferPointer(start: start, count: length)
        let value = try body(PostgresCell(bytes: bytes, type: columns.types[column]))
        return value
    }

    /// Calls `body` with the cell's bytes, or with `nil` for NULL.
    func withBytes<Value>(row: Int, column: Int, _ body: (UnsafeRawBufferPointer?) -> Value) -> Value {
        guard !isNull(row: row, column: column) else { return body(nil) }
        let length = Int(PQgetlength(result, CInt(row), CInt(column)))
        return body(UnsafeRawBufferPointer(start: PQgetvalue(result, CInt(row), CInt(column)), count: length))
    }
}
