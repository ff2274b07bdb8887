/// A type whose arrays are columns or parameters: of arrays of values, and of `[UInt8]`, which is bytea.
package protocol PostgresArrayMember: Sendable {
    static var postgresArrayType: PostgresType { get }
    static func encodeArray(_ elements: [Self]) -> PostgresValue
    static func decodeArray(_ cell: PostgresCell) throws(PostgresCellMismatch) -> [Self]
}

/// A value that can be an element of a one-dimensional array: `unnest(\(ids))`.
package protocol PostgresArrayElement: PostgresArrayMember, PostgresEncodable, PostgresDecodable {
    /// The type that the elements are declared with inside the array.
    static var postgresElementType: PostgresType { get }
}

extension PostgresArrayElement {
    package static var postgresElementType: PostgresType { postgresType }

    /// PostgreSQL's `array_send` format: dimensions, a flag for NULLs, the element type, then each element with its
    /// length, -1 for NULL.
    package static func encodeArray(_ elements: [Self]) -> PostgresValue {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(20 + elements.count * 20)
        bytes.appendBigEndian(Int32(elements.isEmpty ? 0 : 1))
        let flags = bytes.count
        bytes.appendBigEndian(Int32(0))
        bytes.appendBigEndian(postgresElementType.rawValue)
        guard !elements.isEmpty else { return .binary(postgresArrayType, bytes) }
        bytes.appendBigEndian(Int32(elements.count))
        bytes.appendBigEndian(Int32(1))
        for element in elements {
            let value = element.postgresValue
            if case .null = value {
                bytes[flags + 3] = 1
                bytes.appendBigEndian(Int32(-1))
                continue
            }
            let length = bytes.count
            bytes.appendBigEndian(Int32(0))
            value.appendBinary(to: &bytes)
            bytes.replaceBigEndian(Int32(bytes.count - length - 4), at: length)
        }
        return .binary(postgresArrayType, bytes)
    }

    package static func decodeArray(_ cell: PostgresCell) throws(PostgresCellMismatch) -> [Self] {
        var reader = CellReader(cell.bytes)
        let dimensions = try reader.read(Int32.self)
        _ = try reader.read(Int32.self)
        let type = PostgresType(rawValue: try reader.read(UInt32.self))
        guard dimensions > 0 else { return [] }
        guard dimensions == 1 else { throw PostgresCellMismatch("the array has more than one dimension") }
        let count = Int(try reader.read(Int32.self))
        _ = try reader.read(Int32.self)
        var elements: [Self] = []
        elements.reserveCapacity(max(0, min(count, reader.remaining / 4)))
        for _ in 0..<count {
            let length = Int(try reader.read(Int32.self))
            if length < 0 {
                elements.append(try Self.decodeNull())
            } else {
                elements.append(try Self(cell: PostgresCell(bytes: try reader.bytes(length), type: type)))
            }
        }
        return elements
    }
}

extension Array: PostgresEncodable where Element: PostgresArrayMember {
    package static var postgresType: PostgresType { Element.postgresArrayType }
    package var postgresValue: PostgresValue { Element.encodeArray(self) }
}

extension Array: PostgresDecodable where Element: PostgresArrayMember {
    package init(cell: PostgresCell) throws(PostgresCellMismatch) {
        self = try Element.decodeArray(cell)
    }
}

/// `[UInt8]` is bytea, not an array of numbers.
extension UInt8: PostgresArrayMember {
    package static var postgresArrayType: PostgresType { .bytea }
    package static func encodeArray(_ bytes: [UInt8]) -> PostgresValue { .binary(.bytea, bytes) }
    package static func decodeArray(_ cell: PostgresCell) throws(PostgresCellMismatch) -> [UInt8] {
        guard cell.type == .bytea else { throw .type(cell.type) }
        return [UInt8](cell.bytes)
    }
}

/// `[[UInt8]]` is bytea[].
extension Array: PostgresArrayMember where Element == UInt8 {
    package static var postgresArrayType: PostgresType { .byteaArray }
}

extension Array: PostgresArrayElement where Element == UInt8 {
    package static var postgresElementType: PostgresType { .bytea }
}
