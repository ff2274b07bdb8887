/// One value of a row, in PostgreSQL's binary format. Valid only while its row is being decoded.
package struct PostgresCell {
    package let bytes: UnsafeRawBufferPointer
    package let type: PostgresType
}

/// Why a cell is not what it was to be decoded as.
package struct PostgresCellMismatch: Error {
    package let reason: String

    package init(_ reason: String) {
        self.reason = reason
    }

    static func type(_ type: PostgresType) -> PostgresCellMismatch {
        PostgresCellMismatch("the column's type (\(type.rawValue)) is another")
    }

    static let length = PostgresCellMismatch("the value has an unexpected length")
}

/// A value that can be read from a column.
package protocol PostgresDecodable {
    /// Reads a value that is not NULL.
    init(cell: PostgresCell) throws(PostgresCellMismatch)
    /// What NULL stands for; an error unless the type is optional.
    static func decodeNull() throws(PostgresCellMismatch) -> Self
}

extension PostgresDecodable {
    package static func decodeNull() throws(PostgresCellMismatch) -> Self {
        throw PostgresCellMismatch("the value is NULL")
    }
}

extension Optional: PostgresDecodable where Wrapped: PostgresDecodable {
    package init(cell: PostgresCell) throws(PostgresCellMismatch) {
        self = .some(try Wrapped(cell: cell))
    }

    package static func decodeNull() throws(PostgresCellMismatch) -> Wrapped? { nil }
}

/// A raw value stands for its case; one that is none is an error.
extension PostgresDecodable where Self: RawRepresentable, RawValue: PostgresDecodable {
    package init(cell: PostgresCell) throws(PostgresCellMismatch) {
        guard let value = Self(rawValue: try RawValue(cell: cell)) else {
            throw PostgresCellMismatch("the value is none of the known ones")
        }
        self = value
    }
}
