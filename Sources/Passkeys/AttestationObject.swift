import CFido2
import Foundation

/// An attestation object taken apart by libcbor (section 6.5).
struct AttestationObject {
    static let maximumBytes = 16_384

    let format: String
    /// CBOR
    let statement: [UInt8]
    let isStatementEmpty: Bool
    let authenticatorData: [UInt8]

    init(_ bytes: [UInt8]) throws(PasskeyError) {
        guard (1...Self.maximumBytes).contains(bytes.count) else { throw .malformed }
        var result = cbor_load_result()
        var root = cbor_load(bytes, bytes.count, &result)
        defer { if root != nil { cbor_decref(&root) } }
        guard let map = root, result.read == bytes.count, cbor_isa_map(map) else { throw .malformed }
        var (format, statement, isEmpty, data) = (String?.none, [UInt8]?.none, false, [UInt8]?.none)
        guard let pairs = cbor_map_handle(map) else { throw .malformed }
        for index in 0..<cbor_map_size(map) {
            guard let key = pairs[index].key, let value = pairs[index].value else { throw .malformed }
            switch Self.text(key) {
            case "fmt": format = Self.text(value)
            case "authData": data = Self.bytes(value)
            case "attStmt":
                guard cbor_isa_map(value) else { throw .malformed }
                isEmpty = cbor_map_size(value) == 0
                statement = Self.encoded(value)
            default: break
            }
        }
        guard let format, let statement, let data else { throw .malformed }
        self.format = format
        self.statement = statement
        isStatementEmpty = isEmpty
        authenticatorData = data
    }

    private static func text(_ item: UnsafeMutablePointer<cbor_item_t>) -> String? {
        guard cbor_isa_string(item), cbor_string_is_definite(item), let start = cbor_string_handle(item) else {
            return nil
        }
        return String(
            validating: UnsafeBufferPointer(start: start, count: cbor_string_length(item)), as: UTF8.self)
    }

    private static func bytes(_ item: UnsafeMutablePointer<cbor_item_t>) -> [UInt8]? {
        guard cbor_isa_bytestring(item), cbor_bytestring_is_definite(item), let start = cbor_bytestring_handle(item)
        else { return nil }
        return Array(UnsafeBufferPointer(start: start, count: cbor_bytestring_length(item)))
    }

    private static func encoded(_ item: UnsafeMutablePointer<cbor_item_t>) -> [UInt8]? {
        var buffer: UnsafeMutablePointer<UInt8>?
        var size = 0
        let written = cbor_serialize_alloc(item, &buffer, &size)
        defer { free(buffer) }
        guard written > 0, let buffer else { return nil }
        return Array(UnsafeBufferPointer(start: buffer, count: written))
    }
}
