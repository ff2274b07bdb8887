/// Makes request ids and trace contexts for one event loop.
///
/// They name requests and protect nothing, so a fast generator, seeded from the system's, is enough.
struct RequestIdentitySource {
    private var state: UInt64
    private let stream: UInt64

    init() {
        var random = SystemRandomNumberGenerator()
        state = random.next()
        stream = random.next() | 1
    }

    /// SplitMix64, on a sequence of this loop's own.
    private mutating func next() -> UInt64 {
        state &+= stream
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// A random byte.
    mutating func jitter() -> UInt8 {
        UInt8(truncatingIfNeeded: next() >> 32)
    }

    /// A random UUID (RFC 9562 version 4) in lower case.
    mutating func requestID() -> String {
        let high = next() & 0xFFFF_FFFF_FFFF_0FFF | 0x4000
        let low = next() & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000
        return String(unsafeUninitializedCapacity: 36) { buffer in
            var offset = Self.write(high >> 32, digits: 8, into: buffer, at: 0)
            for (value, digits) in [(high >> 16, 4), (high, 4), (low >> 48, 4), (low, 12)] {
                buffer[offset] = Ascii.dash
                offset = Self.write(value, digits: digits, into: buffer, at: offset + 1)
            }
            return offset
        }
    }

    /// A W3C `traceparent` of a new, sampled trace.
    mutating func traceParent() -> String {
        let (high, low, span) = (next(), next() | 1, next() | 1)
        return String(unsafeUninitializedCapacity: 55) { buffer in
            buffer[0] = UInt8(ascii: "0")
            buffer[1] = UInt8(ascii: "0")
            buffer[2] = Ascii.dash
            var offset = Self.write(high, digits: 16, into: buffer, at: 3)
            offset = Self.write(low, digits: 16, into: buffer, at: offset)
            buffer[offset] = Ascii.dash
            offset = Self.write(span, digits: 16, into: buffer, at: offset + 1)
            buffer[offset] = Ascii.dash
            buffer[offset + 1] = UInt8(ascii: "0")
            buffer[offset + 2] = UInt8(ascii: "1")
            return offset + 3
        }
    }

    /// Whether an inbound request id is kept: 1 to 128 visible characters that need no quoting anywhere.
    static func isAcceptable(requestID: String) -> Bool {
        let count = requestID.utf8.count
        return count > 0 && count <= 128 && requestID.utf8.allSatisfy { Ascii.isUnreserved($0) || $0 == 0x3A }
    }

    /// Whether an inbound `traceparent` is version 00 and well-formed (W3C Trace Context §3.2.2), ids not all zero.
    static func isAcceptable(traceParent: String) -> Bool {
        guard traceParent.utf8.count == 55 else { return false }
        var index = 0
        var traceBits: UInt8 = 0
        var spanBits: UInt8 = 0
        for byte in traceParent.utf8 {
            switch index {
            case 0, 1: if byte != UInt8(ascii: "0") { return false }
            case 2, 35, 52: if byte != Ascii.dash { return false }
            default:
                guard let value = Ascii.hexValue(byte), byte == Ascii.lowercased(byte) else { return false }
                if index < 35 { traceBits |= value } else if index < 52 { spanBits |= value }
            }
            index += 1
        }
        return traceBits != 0 && spanBits != 0
    }

    /// Writes the low `digits` hexadecimal digits of `value` and returns the offset behind them.
    private static func write(
        _ value: UInt64, digits: Int, into buffer: UnsafeMutableBufferPointer<UInt8>, at offset: Int
    ) -> Int {
        var shift = UInt64(digits * 4)
        var index = offset
        while shift > 0 {
            shift -= 4
            let nibble = UInt8(truncatingIfNeeded: value >> shift) & 0xF
            buffer[index] = nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "a") + nibble - 10
            index += 1
        }
        return index
    }
}
