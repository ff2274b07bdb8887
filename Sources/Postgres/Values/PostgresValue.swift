package import Foundation

/// The object identifiers of PostgreSQL's built-in types (`pg_type.dat`), as far as the driver knows them.
package struct PostgresType: Sendable, Hashable, RawRepresentable {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }

    /// Left to the server to infer from the statement.
    package static let inferred = PostgresType(rawValue: 0)
    package static let bool = PostgresType(rawValue: 16)
    package static let bytea = PostgresType(rawValue: 17)
    package static let name = PostgresType(rawValue: 19)
    package static let int8 = PostgresType(rawValue: 20)
    package static let int2 = PostgresType(rawValue: 21)
    package static let int4 = PostgresType(rawValue: 23)
    package static let text = PostgresType(rawValue: 25)
    package static let oid = PostgresType(rawValue: 26)
    package static let json = PostgresType(rawValue: 114)
    package static let xid8 = PostgresType(rawValue: 5069)
    package static let float4 = PostgresType(rawValue: 700)
    package static let float8 = PostgresType(rawValue: 701)
    package static let inet = PostgresType(rawValue: 869)
    package static let cidr = PostgresType(rawValue: 650)
    package static let date = PostgresType(rawValue: 1082)
    package static let timestamp = PostgresType(rawValue: 1114)
    package static let timestamptz = PostgresType(rawValue: 1184)
    package static let numeric = PostgresType(rawValue: 1700)
    package static let uuid = PostgresType(rawValue: 2950)
    package static let jsonb = PostgresType(rawValue: 3802)
    package static let boolArray = PostgresType(rawValue: 1000)
    package static let byteaArray = PostgresType(rawValue: 1001)
    package static let int2Array = PostgresType(rawValue: 1005)
    package static let int4Array = PostgresType(rawValue: 1007)
    package static let textArray = PostgresType(rawValue: 1009)
    package static let int8Array = PostgresType(rawValue: 1016)
    package static let float8Array = PostgresType(rawValue: 1022)
    package static let timestamptzArray = PostgresType(rawValue: 1185)
    package static let uuidArray = PostgresType(rawValue: 2951)
    package static let jsonbArray = PostgresType(rawValue: 3807)
}

/// A parameter on its way to the server.
///
/// Strings go as text whose type the server infers, so they fit columns of type text, jsonb, inet or an enumeration;
/// everything else goes in PostgreSQL's binary format with its type.
package enum PostgresValue: Sendable {
    case null(PostgresType)
    case bool(Bool)
    case int16(Int16)
    case int32(Int32)
    case int64(Int64)
    case double(Double)
    case uuid(UUID)
    case date(Date)
    case text(String)
    /// Text of a named type: JSON for a jsonb column.
    case typedText(PostgresType, String)
    /// Bytes in the binary format of a named type.
    case binary(PostgresType, [UInt8])

    /// The type that the statement is prepared with.
    package var type: PostgresType {
        switch self {
        case .null(let type), .typedText(let type, _), .binary(let type, _): type
        case .bool: .bool
        case .int16: .int2
        case .int32: .int4
        case .int64: .int8
        case .double: .float8
        case .uuid: .uuid
        case .date: .timestamptz
        case .text: .inferred
        }
    }
}

/// A value that can be a parameter of a statement.
package protocol PostgresEncodable: Sendable {
    /// The type of all values, `nil` included.
    static var postgresType: PostgresType { get }
    /// The value as it is sent.
    var postgresValue: PostgresValue { get }
}
