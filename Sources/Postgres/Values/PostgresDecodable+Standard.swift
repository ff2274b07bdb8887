package import Foundation

extension Bool: PostgresDecodable {
    package init(cell: PostgresCell) throws(PostgresCellMismatch) {
        guard cell.type == .bool else { throw .type(cell.type) }
        self = try cell.number(UInt8.self) != 0
    }
}

extension Int: PostgresDecodable {
    package init(cell: PostgresCell) throws(PostgresCellMismatch) { self = try cell.narrow(to: Int.self) }
}

extension Int16: PostgresDecodable {
    package init(cell: PostgresCell) throws(PostgresCellMismatch) { self = try cell.narrow(to: Int16.self) }
}

extension Int32: PostgresDecodable {
    package init(cell: PostgresCell) throws(PostgresCellMismatch) { self = try cell.narrow(to: Int32.self) }
}

extension Int64: PostgresDecodable {
    package init(cell: PostgresCell) throws(PostgresCellMismatch) { self = try cell.integer() }
}

extension Double: PostgresDecodable {
    package init(cell: PostgresCell) throws(PostgresCellMismatch) {
        switch cell.type {
        case .float8: self = Double(bitPattern: try cell.number(UInt64.self))
        case .float4: self = Double(Float(bitPattern: try cell.number(UInt32.self)))
        case .numeric: self = Double(try PostgresNumeric(cell).text) ?? .nan
        default: self = Double(try cell.integer())
        }
    }
}

/// Text, names, enumerations, json and jsonb as they are; uuid, numeric and inet in their usual notation. Numbers, dates
/// and bytes are not strings: cast them in the statement.
extension String: PostgresDecodable {
    package init(cell: PostgresCell) throws(PostgresCellMismatch) {
        switch cell.type {
        case .jsonb:
            guard cell.bytes.first == 1 else { throw PostgresCellMismatch("unknown version of jsonb") }
            self = String(decoding: UnsafeRawBufferPointer(rebasing: cell.bytes.dropFirst()), as: UTF8.self)
        case .uuid: self = try UUID(cell: cell).uuidString.lowercased()
        case .numeric: self = try PostgresNumeric(cell).text
        case .inet, .cidr: self = try PostgresAddress.text(cell)
        case .bool, .bytea, .int2, .int4, .int8, .oid, .xid8, .float4, .float8, .date, .timestamp, .timestamptz:
            throw .type(cell.type)
        default:
            self = String(decoding: cell.bytes, as: UTF8.self)
        }
    }
}

extension UUID: PostgresDecodable {
    package init(cell: PostgresCell) throws(PostgresCellMismatch) {
        guard cell.type == .uuid else { throw .type(cell.type) }
        guard cell.bytes.count == MemoryLayout<uuid_t>.size else { throw .length }
        self.init(uuid: cell.bytes.loadUnaligned(as: uuid_t.self))
    }
}

/// From timestamptz, timestamp (taken as UTC) and date (its midnight in UTC).
extension Date: PostgresDecodable {
    package init(cell: PostgresCell) throws(PostgresCellMismatch) {
        switch cell.type {
        case .timestamptz, .timestamp: self = PostgresTime.date(microseconds: try cell.number(Int64.self))
        case .date: self = PostgresTime.date(days: try cell.number(Int32.self))
        default: throw .type(cell.type)
        }
    }
}

extension Data: PostgresDecodable {
    package init(cell: PostgresCell) throws(PostgresCellMismatch) {
        guard cell.type == .bytea else { throw .type(cell.type) }
        self = Data(cell.bytes)
    }
}

/// The binary format of `inet` and `cidr`: family, prefix length, whether it is a cidr, size, address.
enum PostgresAddress {
    static func text(_ cell: PostgresCell) throws(PostgresCellMismatch) -> String {
        var reader = CellReader(cell.bytes)
        _ = try reader.read(UInt8.self)
        let prefix = try reader.read(UInt8.self)
        let isCIDR = try reader.read(UInt8.self) != 0
        let size = Int(try reader.read(UInt8.self))
        let address = try reader.bytes(size)
        guard let base = address.baseAddress, size == 4 || size == 16 else { throw .length }
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        guard inet_ntop(size == 4 ? AF_INET : AF_INET6, base, &text, socklen_t(text.count)) != nil else {
            throw .length
        }
        let host = String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        return isCIDR || Int(prefix) < size * 8 ? "\(host)/\(prefix)" : host
    }
}
