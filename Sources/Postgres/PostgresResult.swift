/// What a statement returned: its rows, and how many rows it touched.
package struct PostgresResult: Sendable {
    let storage: ResultStorage
    /// The rows that an INSERT, UPDATE, DELETE or MERGE touched, or that a SELECT returned.
    package let affectedRows: Int

    /// The rows; the same as iterating over the result itself.
    package var rows: PostgresResult { self }
}

extension PostgresResult: RandomAccessCollection {
    package var startIndex: Int { 0 }
    package var endIndex: Int { storage.rowCount }
    package subscript(position: Int) -> PostgresRow {
        precondition(position >= 0 && position < storage.rowCount, "row index out of range")
        return PostgresRow(storage: storage, index: position)
    }
}

extension PostgresResult {
    /// All rows as values of a type that reads itself from a row.
    package func decode<Value: PostgresRowDecodable>(_ type: Value.Type = Value.self) throws -> [Value] {
        try map { try Value(row: $0) }
    }

    /// The first row as such a value; `nil` when there is none.
    package func first<Value: PostgresRowDecodable>(_ type: Value.Type = Value.self) throws -> Value? {
        try first.map { try Value(row: $0) }
    }

    /// The values of one column.
    package func column<Value: PostgresDecodable>(
        _ name: String, as type: Value.Type = Value.self
    ) throws(PostgresError) -> [Value] {
        var values: [Value] = []
        values.reserveCapacity(count)
        for row in self { values.append(try row.decode(type, name)) }
        return values
    }
}

/// A type that reads itself from a row.
package protocol PostgresRowDecodable {
    init(row: PostgresRow) throws
}

/// One row. It keeps the result that it is part of alive.
package struct PostgresRow: Sendable {
    let storage: ResultStorage
    let index: Int

    /// The names of the columns, in order.
    package var columns: [String] { storage.columns.names }

    /// The value of the column called `name`, decoded strictly: a type that does not fit, or NULL for a type that is not
    /// optional, is an error that names column and type.
    package func decode<Value: PostgresDecodable>(
        _ type: Value.Type, _ name: String
    ) throws(PostgresError) -> Value {
        guard let column = storage.columns.index(of: name) else {
            throw PostgresError(
                .decoding(column: name, type: String(describing: type)), detail: "the result has no such column")
        }
        return try decode(type, at: column)
    }

    /// As `decode(_:_:)`, with the type that the context asks for.
    package func decode<Value: PostgresDecodable>(_ name: String) throws(PostgresError) -> Value {
        try decode(Value.self, name)
    }

    /// The value of the column at a position, counted from 0.
    package func decode<Value: PostgresDecodable>(
        _ type: Value.Type = Value.self, at column: Int
    ) throws(PostgresError) -> Value {
        precondition(column >= 0 && column < storage.columns.names.count, "column index out of range")
        do {
            return try storage.withCell(row: index, column: column) { (cell) throws(PostgresCellMismatch) in
                guard let cell else { return try Value.decodeNull() }
                return try Value(cell: cell)
            }
        } catch {
            throw PostgresError(
                .decoding(column: storage.columns.names[column], type: String(describing: type)),
                detail: error.reason)
        }
    }

    /// Calls `body` with a column's bytes in PostgreSQL's binary format, nil for NULL: for what looks at rows by the hundred
    /// thousand and makes no values of them. The position is counted from 0.
    package func withBytes<Value>(at column: Int, _ body: (UnsafeRawBufferPointer?) -> Value) -> Value {
        precondition(column >= 0 && column < storage.columns.names.count, "column index out of range")
        return storage.withBytes(row: index, column: column, body)
    }

    /// Reads the columns one after the other, from the first.
    package func reader() -> PostgresRowReader { PostgresRowReader(row: self) }

    /// Whether the column called `name` is NULL; an absent column is.
    package func isNull(_ name: String) -> Bool {
        storage.columns.index(of: name).map { storage.isNull(row: index, column: $0) } ?? true
    }
}

/// Reads a row's columns in the order in which the statement names them: of wide rows by the hundred thousand, looking
/// each column up by its name is what takes longest.
package struct PostgresRowReader {
    private let row: PostgresRow
    private var column = 0

    fileprivate init(row: PostgresRow) {
        self.row = row
    }

    /// The next column's value; the result must have one more.
    package mutating func next<Value: PostgresDecodable>(_ type: Value.Type = Value.self) throws(PostgresError) -> Value
    {
        defer { column += 1 }
        return try row.decode(type, at: column)
    }
}
