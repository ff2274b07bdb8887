internal import Contracts

/// One pass over a body before it is decoded: what a decoder would accept, or would take too long to refuse.
enum JSONScan {
    /// - Throws: ``APIError`` 400001 for an empty body, for invalid UTF-8, for a NUL character (PostgreSQL's text cannot
    ///   hold one) and for what is nested too deep.
    static func check(_ bytes: [UInt8], maximumDepth: Int) throws {
        guard !bytes.isEmpty else { throw malformed("body", "is empty, but must be JSON") }
        guard String(validating: bytes, as: UTF8.self) != nil else { throw malformed("body", "is not valid UTF-8") }
        var depth = 0
        var index = 0
        var field: Range<Int>?
        while index < bytes.count {
            switch bytes[index] {
            case UInt8(ascii: "\""):
                let string = string(in: bytes, from: index)
                if holdsNUL(bytes[string]) {
                    throw malformed(name(field, in: bytes), "contains a NUL character")
                }
                index = string.upperBound
                if isFollowedByColon(bytes, index + 1) { field = string }
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                depth += 1
                if depth > maximumDepth {
                    throw malformed(name(field, in: bytes), "is nested deeper than \(maximumDepth) levels")
                }
            case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
            default: break
            }
            index += 1
        }
    }

    /// Where the text of the string lies whose opening quote is at `quote`; its upper bound is the closing quote, or the
    /// end of the bytes.
    static func string(in bytes: [UInt8], from quote: Int) -> Range<Int> {
        var index = quote + 1
        while index < bytes.count, bytes[index] != UInt8(ascii: "\"") {
            index += bytes[index] == UInt8(ascii: "\\") ? 2 : 1
        }
        return quote + 1..<min(index, bytes.count)
    }

    /// Whether the next byte that is no blank is a colon, so that the string before it is a field's name.
    static func isFollowedByColon(_ bytes: [UInt8], _ start: Int) -> Bool {
        var index = start
        while index < bytes.count {
            switch bytes[index] {
            case 0x20, 0x09, 0x0A, 0x0D: index += 1
            case UInt8(ascii: ":"): return true
            default: return false
            }
        }
        return false
    }

    private static func holdsNUL(_ text: ArraySlice<UInt8>) -> Bool {
        var rest = text
        while let escape = rest.firstIndex(of: UInt8(ascii: "\\")) {
            rest = rest[escape...]
            if rest.starts(with: "\\u0000".utf8) { return true }
            rest = rest.dropFirst(2)
        }
        return false
    }

    private static func name(_ field: Range<Int>?, in bytes: [UInt8]) -> String {
        guard let field, field.count <= 128 else { return "body" }
        return String(decoding: bytes[field], as: UTF8.self)
    }

    private static func malformed(_ field: String, _ message: String) -> APIError {
        APIError(.badRequest, violations: [Violation(field: field, message: message)])
    }
}
