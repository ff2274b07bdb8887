import Crypto
package import Foundation

/// A user of the load with a second factor, and the app that shows the codes: RFC 6238 with HMAC-SHA-1, six digits and
/// thirty seconds. It never shows one twice: the suite takes each step once.
package struct Authenticator: Sendable {
    /// Seconds of one step.
    private static let period: Int64 = 30
    /// A user is back after so many seconds, when the step is another than last time; and a little more, for ticks that
    /// are late.
    static let rest = 36
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")

    /// The e-mail address.
    package let user: String
    private let secret: [UInt8]
    /// The last step that was shown.
    private var last = Int64.min

    /// - Parameter base32: the secret as the suite shows it, RFC 4648 without padding; nil for anything else.
    package init?(user: String, base32: String) {
        var bytes: [UInt8] = []
        var (buffer, bits) = (UInt32(0), 0)
        for letter in base32 {
            guard let digit = Self.alphabet.firstIndex(of: letter) else { return nil }
            buffer = (buffer << 5 | UInt32(digit)) & 0xFFFF
            bits += 5
            if bits >= 8 {
                bits -= 8
                bytes.append(UInt8(truncatingIfNeeded: buffer >> UInt32(bits)))
            }
        }
        guard !bytes.isEmpty else { return nil }
        self.user = user
        secret = bytes
    }

    /// The code of the present step, or of the next where that has been shown: the suite takes clocks that are a step ahead.
    ///
    /// - Returns: nil when both have been shown.
    package mutating func code(at now: Date) -> String? {
        let present = Int64((now.timeIntervalSince1970 / Double(Self.period)).rounded(.down))
        let step = last < present ? present : last + 1
        guard step <= present + 1 else { return nil }
        last = step
        return code(step: step)
    }

    /// RFC 4226, section 5.3.
    private func code(step: Int64) -> String {
        let counter = withUnsafeBytes(of: step.bigEndian) { Array($0) }
        let mac = Array(
            HMAC<Insecure.SHA1>.authenticationCode(for: counter, using: SymmetricKey(data: secret)))
        let offset = Int(mac[mac.count - 1] & 0x0F)
        let word = mac[offset..<(offset + 4)].reduce(UInt32(0)) { $0 << 8 | UInt32($1) } & 0x7FFF_FFFF
        let text = String(word % 1_000_000)
        return String(repeating: "0", count: 6 - text.count) + text
    }
}
