package import Foundation

extension Bool: PostgresEncodable, PostgresArrayElement {
    package static var postgresType: PostgresType { .bool }
    package static var postgresArrayType: PostgresType { .boolArray }
    package var postgresValue: PostgresValue { .bool(self) }
}

extension Int: PostgresEncodable, PostgresArrayElement {
    package static var postgresType: PostgresType { .int8 }
    package static var postgresArrayType: PostgresType { .int8Array }
    package var postgresValue: PostgresValue { .int64(Int64(self)) }
}

extension Int16: PostgresEncodable, PostgresArrayElement {
    package static var postgresType: PostgresType { .int2 }
    package static var postgresArrayType: PostgresType { .int2Array }
    package var postgresValue: PostgresValue { .int16(self) }
}

extension Int32: PostgresEncodable, PostgresArrayElement {
    package static var postgresType: PostgresType { .int4 }
    package static var postgresArrayType: PostgresType { .int4Array }
    package var postgresValue: PostgresValue { .int32(self) }
}

extension Int64: PostgresEncodable, PostgresArrayElement {
    package static var postgresType: PostgresType { .int8 }
    package static var postgresArrayType: PostgresType { .int8Array }
    package var postgresValue: PostgresValue { .int64(self) }
}

extension Double: PostgresEncodable, PostgresArrayElement {
    package static var postgresType: PostgresType { .float8 }
    package static var postgresArrayType: PostgresType { .float8Array }
    package var postgresValue: PostgresValue { .double(self) }
}

extension String: PostgresEncodable, PostgresArrayElement {
    package static var postgresType: PostgresType { .inferred }
    package static var postgresElementType: PostgresType { .text }
    package static var postgresArrayType: PostgresType { .textArray }
    package var postgresValue: PostgresValue { .text(self) }
}

extension UUID: PostgresEncodable, PostgresArrayElement {
    package static var postgresType: PostgresType { .uuid }
    package static var postgresArrayType: PostgresType { .uuidArray }
    package var postgresValue: PostgresValue { .uuid(self) }
}

/// As `timestamptz`, which counts microseconds.
extension Date: PostgresEncodable, PostgresArrayElement {
    package static var postgresType: PostgresType { .timestamptz }
    package static var postgresArrayType: PostgresType { .timestamptzArray }
    package var postgresValue: PostgresValue { .date(self) }
}

extension Data: PostgresEncodable, PostgresArrayElement {
    package static var postgresType: PostgresType { .bytea }
    package static var postgresArrayType: PostgresType { .byteaArray }
    package var postgresValue: PostgresValue { .binary(.bytea, [UInt8](self)) }
}

extension Optional: PostgresEncodable where Wrapped: PostgresEncodable {
    package static var postgresType: PostgresType { Wrapped.postgresType }
    package var postgresValue: PostgresValue { self?.postgresValue ?? .null(Wrapped.postgresType) }
}

extension Optional: PostgresArrayMember where Wrapped: PostgresArrayElement {
    package static var postgresArrayType: PostgresType { Wrapped.postgresArrayType }
}

extension Optional: PostgresArrayElement where Wrapped: PostgresArrayElement {
    package static var postgresElementType: PostgresType { Wrapped.postgresElementType }
}

/// A raw value stands for its case: an enumeration of strings is sent as that text.
extension PostgresEncodable where Self: RawRepresentable, RawValue: PostgresEncodable {
    package static var postgresType: PostgresType { RawValue.postgresType }
    package var postgresValue: PostgresValue { rawValue.postgresValue }
}
