import Crypto
package import Foundation
package import MicroMiddleware

/// One-time passwords by the clock (RFC 6238): HMAC-SHA-1, six digits, thirty seconds, as authenticator apps expect.
package struct TOTP: Sendable {
    /// Bytes of a secret: as long as the hash (RFC 4226, section 4).
    package static let secretCount = 20
    /// Seconds.
    package static let period: Int64 = 30
    package static let digits = 6
    /// How many steps a clock may be off, either way.
    package static let skew: Int64 = 1

    let secret: Secret<[UInt8]>

    package init(secret: Secret<[UInt8]>) {
        self.secret = secret
    }

    /// A new random secret.
    package static func makeSecret() -> Secret<[UInt8]> {
        var generator = SystemRandomNumberGenerator()
        return Secret((0..<secretCount).map { _ in UInt8.random(in: .min ... .max, using: &generator) })
    }

    /// The step that a moment lies in.
    package static func step(at now: Date) -> Int64 {
        Int64((now.timeIntervalSince1970 / Double(period)).rounded(.down))
    }

    /// The code of a step (RFC 4226, section 5.3).
    package func code(step: Int64, digits: Int = TOTP.digits) -> String {
        let counter = withUnsafeBytes(of: step.bigEndian) { Array($0) }
        let key = SymmetricKey(data: secret.reveal())
        let mac = Array(HMAC<Insecure.SHA1>.authenticationCode(for: counter, using: key))
        let offset = Int(mac[19] & 0x0F)
        let word = mac[offset..<(offset + 4)].reduce(UInt32(0)) { $0 << 8 | UInt32($1) } & 0x7FFF_FFFF
        let modulus = (0..<digits).reduce(UInt32(1)) { value, _ in value * 10 }
        let text = String(word % modulus)
        return String(repeating: "0", count: digits - text.count) + text
    }

    /// The step whose code this is, the latest of those around a moment; nil for a wrong code. Takes the same time
    /// whichever it is.
    package func step(of text: String, at now: Date) -> Int64? {
        let typed = text.filter { !$0.isWhitespace }
        var found: Int64?
        let present = Self.step(at: now)
        for step in (present - Self.skew)...(present + Self.skew) where Secret(code(step: step)).matches(typed) {
            found = step
        }
        return found
    }

    /// What an authenticator app reads from the QR code (the Key URI format that they share).
    package func uri(issuer: String, account: String) -> String {
        let label = "\(Self.escaped(issuer)):\(Self.escaped(account))"
        return "otpauth://totp/\(label)?secret=\(base32)&issuer=\(Self.escaped(issuer))"
            + "&algorithm=SHA1&digits=\(Self.digits)&period=\(Self.period)"
    }

    /// The secret for typing: base32 without padding (RFC 4648, section 6).
    package var base32: String { Base32.text(secret.reveal()) }

    /// Unreserved characters stay (RFC 3986, section 2.3).
    private static func escaped(_ text: String) -> String {
        let unreserved = CharacterSet(
            charactersIn: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
        return text.addingPercentEncoding(withAllowedCharacters: unreserved) ?? ""
    }
}
