import Foundation

/// Base64 with the URL alphabet and no padding (RFC 4648 §5), strictly: each byte string has exactly one text.
///
/// Foundation's decoder takes padding, the other alphabet and trailing bits that say nothing; a token may have none of
/// these, or one signature would have several spellings.
package enum Base64URL {
    package static func encode(_ bytes: some Sequence<UInt8>) -> String {
        String(decoding: encodeBytes(Array(bytes)), as: UTF8.self)
    }

    static func encodeBytes(_ bytes: [UInt8]) -> [UInt8] {
        var text = Data(bytes).base64EncodedData()
        while text.last == UInt8(ascii: "=") { text.removeLast() }
        return text.map { byte in
            switch byte {
            case UInt8(ascii: "+"): UInt8(ascii: "-")
            case UInt8(ascii: "/"): UInt8(ascii: "_")
            default: byte
            }
        }
    }

    package static func decode(_ text: String) -> [UInt8]? {
        var text = text
        return text.withUTF8 { decode($0) }
    }

    /// The bytes of `text`, or nil when it is not the one canonical spelling of any.
    static func decode(_ text: UnsafeBufferPointer<UInt8>) -> [UInt8]? {
        let rest = text.count % 4
        guard rest != 1 else { return nil }
        let count = text.count / 4 * 3 + (rest == 0 ? 0 : rest - 1)
        var isCanonical = true
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { output, written in
            isCanonical = decode(text, into: output)
            written = isCanonical ? count : 0
        }
        return isCanonical ? bytes : nil
    }

    private static func decode(_ text: UnsafeBufferPointer<UInt8>, into output: UnsafeMutableBufferPointer<UInt8>)
        -> Bool
    {
        var position = 0
        var invalid: UInt8 = 0
        var index = 0
        while index + 4 <= text.count {
            let (a, b, c, d) = (
                value(of: text[index]), value(of: text[index + 1]), value(of: text[index + 2]),
                value(of: text[index + 3])
            )
            invalid |= a | b | c | d
            output[position] = a << 2 | b >> 4
            output[position + 1] = b << 4 | c >> 2
            output[position + 2] = c << 6 | d
            index += 4
            position += 3
        }
        switch text.count - index {
        case 2:
            let (a, b) = (value(of: text[index]), value(of: text[index + 1]))
            invalid |= a | b | (b & 0x0F == 0 ? 0 : 0x80)
            output[position] = a << 2 | b >> 4
        case 3:
            let (a, b, c) = (value(of: text[index]), value(of: text[index + 1]), value(of: text[index + 2]))
            invalid |= a | b | c | (c & 0x03 == 0 ? 0 : 0x80)
            output[position] = a << 2 | b >> 4
            output[position + 1] = b << 4 | c >> 2
        default: break
        }
        return invalid & 0x80 == 0
    }

    /// The six bits that a character stands for; 0x80 for one outside the alphabet.
    @inline(__always)
    private static func value(of character: UInt8) -> UInt8 {
        switch character {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): character - UInt8(ascii: "A")
        case UInt8(ascii: "a")...UInt8(ascii: "z"): character - UInt8(ascii: "a") + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): character - UInt8(ascii: "0") + 52
        case UInt8(ascii: "-"): 62
        case UInt8(ascii: "_"): 63
        default: 0x80
        }
    }
}
