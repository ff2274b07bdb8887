import Crypto
package import Foundation
package import MicroMiddleware

/// What a code that came by mail is good for.
package enum CodePurpose: String, Sendable, Hashable, CaseIterable {
    case passwordReset = "password_reset"
    case emailVerification = "email_verification"
    case emailChange = "email_change"

    /// How long after it was asked for.
    package var lifetime: TimeInterval {
        switch self {
        case .passwordReset: 10 * 60
        case .emailVerification: 24 * 3_600
        case .emailChange: 3_600
        }
    }
}

/// Makes codes, and recognises them.
///
/// A code is not stored: it is the HMAC of its row's id and salt under a key derived from the pepper (HKDF, RFC 5869). So
/// a redelivered event makes the same code again, and neither the database nor the stream of events alone gives it away.
package struct OneTimeCodes: Sendable {
    /// So often may one code be guessed wrong: 100 of 31^8 guesses. One address is held up by ``Throttle`` long before, so
    /// that a stranger does not use up the code that its owner waits for.
    package static let attemptLimit = 100
    /// So many codes of one purpose does a user get in an hour; past it nothing is sent.
    package static let hourlyLimit = 10
    /// So many of them by asking from one address, for the same reason.
    package static let hourlyLimitOfAddress = 3
    /// 31 letters and digits that cannot be mistaken for each other.
    private static let alphabet = Array("ABCDEFGHJKMNPQRSTUVWXYZ23456789".utf8)
    private static let length = 8

    private let key: SymmetricKey

    package init(pepper: Secret<String>) {
        key = HKDF<SHA256>.deriveKey(
            inputKeyMaterial: SymmetricKey(data: Data(pepper.reveal().utf8)), info: Data("authms one-time codes".utf8),
            outputByteCount: 32)
    }

    /// Eight letters and digits, 39 bits, with a dash in the middle: `ABCD-2345`.
    package func code(id: UUID, salt: [UInt8], purpose: CodePurpose) -> String {
        let text = String(decoding: letters(id: id, salt: salt, purpose: purpose), as: UTF8.self)
        return "\(text.prefix(4))-\(text.suffix(4))"
    }

    /// Whether what was typed is the code, in a time that does not depend on how much of it is right. Case, blanks and
    /// dashes do not matter.
    package func matches(_ typed: String, id: UUID, salt: [UInt8], purpose: CodePurpose) -> Bool {
        let given = typed.uppercased().utf8.filter { $0 != UInt8(ascii: "-") && $0 != UInt8(ascii: " ") }
        return Secret(letters(id: id, salt: salt, purpose: purpose)).matches(given)
    }

    package static func salt() -> [UInt8] {
        SymmetricKey(size: .bits256).withUnsafeBytes { Array($0) }
    }

    private func letters(id: UUID, salt: [UInt8], purpose: CodePurpose) -> [UInt8] {
        var mac = HMAC<SHA256>(key: key)
        mac.update(data: Data(purpose.rawValue.utf8))
        mac.update(data: withUnsafeBytes(of: id.uuid) { Data($0) })
        mac.update(data: Data(salt))
        // 64 bits are so many more than 31^8 that no letter is likelier than another by more than 2^-24.
        var number = mac.finalize().prefix(8).reduce(into: UInt64(0)) { $0 = $0 << 8 | UInt64($1) }
        let base = UInt64(Self.alphabet.count)
        return (0..<Self.length).map { _ in
            defer { number /= base }
            return Self.alphabet[Int(number % base)]
        }
    }
}
