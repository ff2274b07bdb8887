/// Byte-wise ASCII helpers of the hot path: no Foundation, no allocation, no Unicode.
enum Ascii {
    static let slash = UInt8(ascii: "/")
    static let dot = UInt8(ascii: ".")
    static let percent = UInt8(ascii: "%")
    static let question = UInt8(ascii: "?")
    static let backslash = UInt8(ascii: "\\")
    static let space = UInt8(ascii: " ")
    static let dash = UInt8(ascii: "-")

    /// `unreserved` of RFC 3986 §2.3.
    static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), dash, dot, UInt8(ascii: "_"), UInt8(ascii: "~"):
            true
        default: false
        }
    }

    static func hexValue(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    static func lowercased(_ byte: UInt8) -> UInt8 {
        byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z") ? byte | 0x20 : byte
    }

    /// Whether `bytes` begins with `prefix`; `prefix` is given in lower case when `ignoringCase`.
    static func hasPrefix(_ bytes: UnsafeBufferPointer<UInt8>, _ prefix: String, ignoringCase: Bool) -> Bool {
        guard bytes.count >= prefix.utf8.count else { return false }
        var index = 0
        for expected in prefix.utf8 {
            let byte = ignoringCase ? lowercased(bytes[index]) : bytes[index]
            if byte != expected { return false }
            index += 1
        }
        return true
    }

    /// Whether `bytes[range]` is exactly `expected`.
    static func equal(_ bytes: UnsafeBufferPointer<UInt8>, _ range: Range<Int>, _ expected: [UInt8]) -> Bool {
        guard range.count == expected.count else { return false }
        var index = range.lowerBound
        for byte in expected {
            if bytes[index] != byte { return false }
            index += 1
        }
        return true
    }

    /// Whether `text` is `lowercase`, whatever its case. `lowercase` has to be given in lower case.
    static func equalIgnoringCase(_ text: String, _ lowercase: StaticString) -> Bool {
        let count = lowercase.utf8CodeUnitCount
        guard text.utf8.count == count else { return false }
        return lowercase.withUTF8Buffer { expected in
            var index = 0
            for byte in text.utf8 {
                if lowercased(byte) != expected[index] { return false }
                index += 1
            }
            return true
        }
    }

    /// Whether `text` begins with `lowercase`, whatever its case.
    static func hasPrefixIgnoringCase(_ text: String, _ lowercase: StaticString) -> Bool {
        guard text.utf8.count >= lowercase.utf8CodeUnitCount else { return false }
        return lowercase.withUTF8Buffer { expected in
            var index = 0
            for byte in text.utf8 {
                if index == expected.count { return true }
                if lowercased(byte) != expected[index] { return false }
                index += 1
            }
            return true
        }
    }
}
