import Foundation

extension [UInt8] {
    mutating func appendBigEndian(_ value: some FixedWidthInteger) {
        Swift.withUnsafeBytes(of: value.bigEndian) { append(contentsOf: $0) }
    }

    mutating func replaceBigEndian(_ value: some FixedWidthInteger, at offset: Int) {
        withUnsafeMutableBytes { $0.storeBytes(of: value.bigEndian, toByteOffset: offset, as: type(of: value)) }
    }
}

/// Reads a cell's bytes from front to back and never beyond their end.
struct CellReader {
    private let buffer: UnsafeRawBufferPointer
    private var offset = 0

    init(_ buffer: UnsafeRawBufferPointer) {
        self.buffer = buffer
    }

    var remaining: Int { buffer.count - offset }

    mutating func read<Number: FixedWidthInteger>(_ type: Number.Type) throws(PostgresCellMismatch) -> Number {
        let size = MemoryLayout<Number>.size
        guard remaining >= size else { throw .length }
        defer { offset += size }
        return Number(bigEndian: buffer.loadUnaligned(fromByteOffset: offset, as: type))
    }

    mutating func bytes(_ count: Int) throws(PostgresCellMismatch) -> UnsafeRawBufferPointer {
        guard count >= 0, remaining >= count else { throw .length }
        defer { offset += count }
        return UnsafeRawBufferPointer(rebasing: buffer[offset..<offset + count])
    }
}

extension PostgresCell {
    /// The cell as one number that fills it exactly.
    func number<Number: FixedWidthInteger>(_ type: Number.Type) throws(PostgresCellMismatch) -> Number {
        guard bytes.count == MemoryLayout<Number>.size else { throw .length }
        return Number(bigEndian: bytes.loadUnaligned(as: type))
    }

    /// The cell as an integer of whatever width its column has.
    func integer() throws(PostgresCellMismatch) -> Int64 {
        switch type {
        case .int8, .xid8: try number(Int64.self)
        case .int4: Int64(try number(Int32.self))
        case .int2: Int64(try number(Int16.self))
        case .oid: Int64(try number(UInt32.self))
        case .numeric: try PostgresNumeric(self).integer()
        default: throw .type(type)
        }
    }

    func narrow<Number: FixedWidthInteger>(to type: Number.Type) throws(PostgresCellMismatch) -> Number {
        guard let number = Number(exactly: try integer()) else {
            throw PostgresCellMismatch("the number does not fit")
        }
        return number
    }
}

extension PostgresValue {
    /// Appends PostgreSQL's binary format of the value. NULL appends nothing.
    func appendBinary(to bytes: inout [UInt8]) {
        switch self {
        case .null: break
        case .bool(let value): bytes.append(value ? 1 : 0)
        case .int16(let value): bytes.appendBigEndian(value)
        case .int32(let value): bytes.appendBigEndian(value)
        case .int64(let value): bytes.appendBigEndian(value)
        case .double(let value): bytes.appendBigEndian(value.bitPattern)
        case .uuid(let value): withUnsafeBytes(of: value.uuid) { bytes.append(contentsOf: $0) }
        case .date(let value): bytes.appendBigEndian(PostgresTime.microseconds(value))
        case .text(let value), .typedText(_, let value): bytes.append(contentsOf: value.utf8)
        case .binary(_, let value): bytes.append(contentsOf: value)
        }
    }
}
