/// An answer of Redis (RESP2).
package enum RedisValue: Hashable, Sendable {
    case null
    case integer(Int)
    /// A simple string such as `OK`.
    case status(String)
    /// A bulk string: any bytes.
    case bytes([UInt8])
    case array([RedisValue])
    /// An error inside an array (of `EXEC` or a script); an error as the whole answer is thrown instead.
    case error(String)

    /// The integer, also when the server wrote it as a string.
    package var integer: Int? {
        switch self {
        case .integer(let value): value
        case .bytes, .status: string.flatMap { Int($0) }
        case .null, .array, .error: nil
        }
    }

    /// The text of a status or of a bulk string that is UTF-8.
    package var string: String? {
        switch self {
        case .status(let text): text
        case .bytes(let bytes): String(validating: bytes, as: UTF8.self)
        case .integer(let value): String(value)
        case .null, .array, .error: nil
        }
    }

    /// The bytes of a bulk string.
    package var bytes: [UInt8]? {
        if case .bytes(let bytes) = self { bytes } else { nil }
    }

    /// The elements of an array.
    package var array: [RedisValue]? {
        if case .array(let elements) = self { elements } else { nil }
    }

    package var isNull: Bool {
        self == .null
    }
}

/// One word of a command: bytes, made from text, numbers or bytes.
package struct RedisArgument: Hashable, Sendable, ExpressibleByStringInterpolation, ExpressibleByIntegerLiteral {
    package let bytes: [UInt8]

    package init(_ bytes: [UInt8]) { self.bytes = bytes }
    package init(_ text: some StringProtocol) { bytes = Array(text.utf8) }
    package init(_ number: some BinaryInteger) { bytes = Array(String(number).utf8) }
    /// The shortest decimal text that reads back as the same number; infinities as Redis spells them.
    package init(_ number: Double) {
        bytes = Array((number.isInfinite ? (number < 0 ? "-inf" : "+inf") : "\(number)").utf8)
    }
    package init(stringLiteral value: String) { self.init(value) }
    package init(integerLiteral value: Int) { self.init(value) }
}
