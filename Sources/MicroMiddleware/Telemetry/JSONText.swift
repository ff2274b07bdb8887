/// JSON put together by hand, where an encoder would cost more than the work it describes: log lines and envelopes.
package enum JSONText {
    /// Appends the text as a JSON string with its quotes (RFC 8259, section 7).
    package static func append(_ text: some StringProtocol, to buffer: inout [UInt8]) {
        buffer.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                buffer.append(UInt8(ascii: "\\"))
                buffer.append(byte)
            case 0x20...: buffer.append(byte)
            case 0x0A: buffer.append(contentsOf: [UInt8(ascii: "\\"), UInt8(ascii: "n")])
            case 0x0D: buffer.append(contentsOf: [UInt8(ascii: "\\"), UInt8(ascii: "r")])
            case 0x09: buffer.append(contentsOf: [UInt8(ascii: "\\"), UInt8(ascii: "t")])
            default:
                buffer.append(contentsOf: "\\u00".utf8)
                buffer.append(hexDigit(byte >> 4))
                buffer.append(hexDigit(byte & 0xF))
            }
        }
        buffer.append(UInt8(ascii: "\""))
    }

    /// Appends `,"key":` (without the comma right after an opening brace). The key must need no escaping.
    package static func appendKey(_ key: StaticString, to buffer: inout [UInt8]) {
        if let last = buffer.last, last != UInt8(ascii: "{"), last != UInt8(ascii: "[") {
            buffer.append(UInt8(ascii: ","))
        }
        buffer.append(UInt8(ascii: "\""))
        key.withUTF8Buffer { buffer.append(contentsOf: $0) }
        buffer.append(contentsOf: "\":".utf8)
    }

    /// Appends a field whose value is a string.
    package static func append(_ key: StaticString, _ value: some StringProtocol, to buffer: inout [UInt8]) {
        appendKey(key, to: &buffer)
        append(value, to: &buffer)
    }

    /// Appends a field whose value is a whole number.
    package static func append(_ key: StaticString, _ value: Int, to buffer: inout [UInt8]) {
        appendKey(key, to: &buffer)
        buffer.append(contentsOf: String(value).utf8)
    }

    /// Appends a field whose value is true or false.
    package static func append(_ key: StaticString, _ value: Bool, to buffer: inout [UInt8]) {
        appendKey(key, to: &buffer)
        buffer.append(contentsOf: String(value).utf8)
    }

    private static func hexDigit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
    }
}
