import Foundation

/// Reads the one JSON object of a token's header or claims, member by member, without building a tree.
///
/// Foundation's decoder takes the last of two equal members silently, which lets two readers of one token disagree
/// (RFC 8725 §2.4), and costs a third of a signature check. This one refuses duplicates, is bounded in members, depth and
/// string length by the length of the token, and allocates for the strings asked for alone.
struct TokenJSON {
    private static let maximumMembers = 64
    private static let maximumDepth = 16

    private let text: UnsafeBufferPointer<UInt8>
    private let part: TokenError.Part
    private var position = 0
    private var names: [String] = []

    /// - Throws: `TokenError.badJSON` unless the text begins with an object.
    init(_ text: UnsafeBufferPointer<UInt8>, part: TokenError.Part) throws(TokenError) {
        self.text = text
        self.part = part
        names.reserveCapacity(16)
        try expect(UInt8(ascii: "{"))
    }

    /// The name of the next member, whose value is to be read next, or nil after the last one, when nothing follows.
    mutating func nextMember() throws(TokenError) -> String? {
        skipSpace()
        if peek == UInt8(ascii: "}") {
            position += 1
            skipSpace()
            guard position == text.count else { throw .badJSON(part) }
            return nil
        }
        if !names.isEmpty { try expect(UInt8(ascii: ",")) }
        guard let name = try string(), names.count < Self.maximumMembers else { throw .badJSON(part) }
        guard !names.contains(name) else { throw .duplicateMember(part) }
        names.append(name)
        try expect(UInt8(ascii: ":"))
        skipSpace()
        return name
    }

    /// A string, or nil, with nothing read, when the value is of another type.
    mutating func string() throws(TokenError) -> String? {
        skipSpace()
        guard peek == UInt8(ascii: "\"") else { return nil }
        let start = position
        position += 1
        var isPlain = true
        while let byte = peek, byte != UInt8(ascii: "\"") {
            guard byte >= 0x20 else { throw .badJSON(part) }
            if byte == UInt8(ascii: "\\") {
                isPlain = false
                position += 1
            } else if byte >= 0x80 {
                isPlain = false
            }
            position += 1
        }
        guard peek == UInt8(ascii: "\"") else { throw .badJSON(part) }
        position += 1
        if isPlain {
            return String(decoding: UnsafeBufferPointer(rebasing: text[(start + 1)..<(position - 1)]), as: UTF8.self)
        }
        // Escapes and other scripts are rare in tokens: Foundation decodes and validates them.
        let literal = Data(UnsafeBufferPointer(rebasing: text[start..<position]))
        guard let value = try? JSONDecoder().decode(String.self, from: literal) else { throw .badJSON(part) }
        return value
    }

    /// A whole number without fraction or exponent, or nil, with nothing read, when the value is anything else.
    mutating func integer() -> Int64? {
        let start = position
        if peek == UInt8(ascii: "-") { position += 1 }
        let digits = position
        while let byte = peek, Self.isDigit(byte) { position += 1 }
        let isWhole = peek.map { ![UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E")].contains($0) } ?? false
        let isCanonical = position == digits + 1 || (position > digits && text[digits] != UInt8(ascii: "0"))
        let literal = UnsafeBufferPointer(rebasing: text[start..<position])
        guard isWhole, isCanonical, let value = Int64(String(decoding: literal, as: UTF8.self)) else {
            position = start
            return nil
        }
        return value
    }

    /// `true` or `false`, or nil, with nothing read, when the value is anything else.
    mutating func bool() -> Bool? {
        if take("true") { return true }
        if take("false") { return false }
        return nil
    }

    /// An array of at most `limit` strings, or nil when the value is anything else.
    mutating func strings(limit: Int) throws(TokenError) -> [String]? {
        guard peek == UInt8(ascii: "[") else { return nil }
        position += 1
        var values: [String] = []
        skipSpace()
        if peek == UInt8(ascii: "]") {
            position += 1
            return values
        }
        while true {
            guard let value = try string(), values.count < limit else { return nil }
            values.append(value)
            skipSpace()
            guard let byte = peek else { throw .badJSON(part) }
            position += 1
            switch byte {
            case UInt8(ascii: ","): continue
            case UInt8(ascii: "]"): return values
            default: throw .badJSON(part)
            }
        }
    }

    /// Steps over a value of any type, checking its grammar.
    mutating func skip(depth: Int = 0) throws(TokenError) {
        guard depth < Self.maximumDepth else { throw .badJSON(part) }
        skipSpace()
        switch peek {
        case UInt8(ascii: "\""): _ = try string()
        case UInt8(ascii: "{"): try skipList(closing: UInt8(ascii: "}"), named: true, depth: depth)
        case UInt8(ascii: "["): try skipList(closing: UInt8(ascii: "]"), named: false, depth: depth)
        default:
            if take("null") || take("true") || take("false") { return }
            try skipNumber()
        }
    }

    private mutating func skipList(closing: UInt8, named: Bool, depth: Int) throws(TokenError) {
        position += 1
        skipSpace()
        if peek == closing {
            position += 1
            return
        }
        while true {
            if named {
                guard try string() != nil else { throw .badJSON(part) }
                try expect(UInt8(ascii: ":"))
            }
            try skip(depth: depth + 1)
            skipSpace()
            if peek == closing {
                position += 1
                return
            }
            try expect(UInt8(ascii: ","))
        }
    }

    private mutating func skipNumber() throws(TokenError) {
        let start = position
        while let byte = peek, Self.isDigit(byte) || "+-.eE".utf8.contains(byte) { position += 1 }
        let literal = Data(UnsafeBufferPointer(rebasing: text[start..<position]))
        guard (try? JSONDecoder().decode(Double.self, from: literal)) != nil else { throw .badJSON(part) }
    }

    private var peek: UInt8? {
        position < text.count ? text[position] : nil
    }

    private mutating func skipSpace() {
        while let byte = peek, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
    }

    private mutating func expect(_ byte: UInt8) throws(TokenError) {
        skipSpace()
        guard peek == byte else { throw .badJSON(part) }
        position += 1
    }

    private mutating func take(_ word: StaticString) -> Bool {
        let word = UnsafeBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount)
        guard text.count - position >= word.count,
            UnsafeBufferPointer(rebasing: text[position..<(position + word.count)]).elementsEqual(word)
        else { return false }
        position += word.count
        return true
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }
}
