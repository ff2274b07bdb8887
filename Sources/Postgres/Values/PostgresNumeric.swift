/// PostgreSQL's `numeric` in its binary format: what `sum(bigint)` and `avg` return. Base-10000 digits, `weight` of the
/// first, a sign, and the number of decimals to show.
struct PostgresNumeric {
    private let digits: [Int16]
    private let weight: Int
    private let sign: UInt16
    private let scale: Int

    init(_ cell: PostgresCell) throws(PostgresCellMismatch) {
        var reader = CellReader(cell.bytes)
        let count = Int(try reader.read(Int16.self))
        weight = Int(try reader.read(Int16.self))
        sign = try reader.read(UInt16.self)
        scale = Int(try reader.read(Int16.self))
        var digits: [Int16] = []
        for _ in 0..<max(0, count) { digits.append(try reader.read(Int16.self)) }
        self.digits = digits
    }

    var text: String {
        switch sign {
        case 0xC000: return "NaN"
        case 0xD000: return "Infinity"
        case 0xF000: return "-Infinity"
        default: break
        }
        var text = sign == 0x4000 ? "-" : ""
        let whole = weight < 0 ? [0] : (0...weight).map { $0 < digits.count ? Int(digits[$0]) : 0 }
        text += whole.dropFirst().reduce("\(whole[0])") { $0 + Self.padded($1) }
        guard scale > 0 else { return text }
        var decimals = ""
        var position = weight + 1
        while decimals.count < scale {
            decimals += Self.padded(position >= 0 && position < digits.count ? Int(digits[position]) : 0)
            position += 1
        }
        return text + "." + decimals.prefix(scale)
    }

    func integer() throws(PostgresCellMismatch) -> Int64 {
        guard let value = Int64(text.prefix { $0 != "." }),
            text.drop(while: { $0 != "." }).dropFirst().allSatisfy({ $0 == "0" })
        else { throw PostgresCellMismatch("the numeric is not a whole number of 64 bits") }
        return value
    }

    private static func padded(_ digit: Int) -> String {
        let text = String(digit)
        return String(repeating: "0", count: 4 - text.count) + text
    }
}
