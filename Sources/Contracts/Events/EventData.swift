/// Finds the `data` of a CloudEvent in the message's bytes, which are what was hashed.
enum EventData {
    /// - Returns: the bytes of the member `data`, where it is an object and the last member of the message's own object; nil
    ///   otherwise. That all of it is JSON is for a parser to say: this one sees brackets and strings alone.
    static func find(in bytes: [UInt8]) -> Range<Int>? {
        guard bytes.first == UInt8(ascii: "{") else { return nil }
        let mark = Array(#","data":{"#.utf8)
        var depth = 0
        var start: Int?
        var index = 0
        while index < bytes.count {
            switch bytes[index] {
            case UInt8(ascii: "\""):
                index = endOfString(in: bytes, from: index)
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                depth -= 1
                // The message's own end must follow at once.
                if let start, depth == 1 { return index == bytes.count - 2 ? start..<index + 1 : nil }
                if depth == 0 { return nil }
            case UInt8(ascii: ",") where depth == 1 && start == nil && bytes[index...].starts(with: mark):
                start = index + mark.count - 1
                index += mark.count - 2
            default: break
            }
            index += 1
        }
        return nil
    }

    /// The place of the closing quotation mark of the string that opens at `quote`.
    private static func endOfString(in bytes: [UInt8], from quote: Int) -> Int {
        var index = quote + 1
        while index < bytes.count, bytes[index] != UInt8(ascii: "\"") {
            index += bytes[index] == UInt8(ascii: "\\") ? 2 : 1
        }
        return index
    }
}
