internal import Synchronization

/// The W3C trace that a request belongs to (Trace Context, level 1): kept from the caller, or begun here.
package struct TraceContext: Sendable, Hashable {
    /// 32 lower-case hexadecimal digits, not all zero.
    package let traceID: String
    /// The span of this process: 16 lower-case hexadecimal digits.
    package let spanID: String
    /// Whether the caller records the trace.
    package let isSampled: Bool

    /// A new trace.
    package init() {
        self.traceID = Self.randomHex() + Self.randomHex()
        self.spanID = Self.randomHex()
        self.isSampled = false
    }

    /// A span of our own within the caller's trace, or `nil` where the header is not one that we may trust to be a trace.
    package init?(traceparent header: String) {
        let bytes = Array(header.utf8)
        guard bytes.count == 55, bytes[0] == UInt8(ascii: "0"), bytes[1] == UInt8(ascii: "0"),
            bytes[2] == UInt8(ascii: "-"), bytes[35] == UInt8(ascii: "-"), bytes[52] == UInt8(ascii: "-"),
            Self.isIdentifier(bytes[3..<35]), Self.isIdentifier(bytes[36..<52]),
            bytes[53...].allSatisfy(Self.isHexDigit)
        else { return nil }
        self.traceID = String(decoding: bytes[3..<35], as: UTF8.self)
        self.spanID = Self.randomHex()
        self.isSampled = bytes[54] & 1 == 1
    }

    /// The header for whom we call.
    package var traceparent: String { "00-\(traceID)-\(spanID)-\(isSampled ? "01" : "00")" }

    /// 16 hexadecimal digits, never all zero. Fast and well spread, not secret: identifiers only.
    package static func randomHex() -> String {
        // splitmix64: a Weyl sequence that threads advance without a lock, and a finaliser that spreads it.
        var mixed = state.wrappingAdd(0x9E37_79B9_7F4A_7C15, ordering: .relaxed).newValue
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        mixed ^= mixed >> 31
        if mixed == 0 { mixed = 1 }
        return String(unsafeUninitializedCapacity: 16) { buffer in
            for index in 0..<16 {
                let digit = UInt8(truncatingIfNeeded: mixed >> UInt64(60 - index * 4)) & 0xF
                buffer[index] = digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
            }
            return 16
        }
    }

    private static let state = Atomic<UInt64>(UInt64.random(in: .min ... .max))

    private static func isIdentifier(_ bytes: ArraySlice<UInt8>) -> Bool {
        bytes.allSatisfy(isHexDigit) && bytes.contains { $0 != UInt8(ascii: "0") }
    }

    private static func isHexDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
    }
}
