import Crypto
package import Foundation
import MicroMiddleware

/// A code that makes one person a member, once.
package struct Invitation: Sendable, Hashable, Identifiable {
    package let id: UUID
    package let tenantID: UUID
    /// When given, only who registers with this address may use it.
    package var emailKey: String?
    package var roles: [String]
    package var createdBy: UUID?
    package var createdAt: Date
    package var expiresAt: Date
    package var usedAt: Date?
    package var revokedAt: Date?

    package init(
        id: UUID, tenantID: UUID, emailKey: String? = nil, roles: [String], createdBy: UUID?, createdAt: Date,
        expiresAt: Date, usedAt: Date? = nil, revokedAt: Date? = nil
    ) {
        self.id = id
        self.tenantID = tenantID
        self.emailKey = emailKey
        self.roles = roles
        self.createdBy = createdBy
        self.createdAt = createdAt
        self.expiresAt = expiresAt
        self.usedAt = usedAt
        self.revokedAt = revokedAt
    }

    /// `open`, `used`, `revoked` or `expired` at a moment.
    package func status(at now: Date) -> String {
        if usedAt != nil { return "used" }
        if revokedAt != nil { return "revoked" }
        return expiresAt <= now ? "expired" : "open"
    }
}

/// What an invited person types: 32 letters and digits, 160 random bits. The store knows its hash alone.
package struct InvitationCode: Sendable {
    package let text: String

    /// A new one.
    package init() {
        let alphabet = Array("abcdefghijklmnopqrstuvwxyz234567")
        var generator = SystemRandomNumberGenerator()
        text = String((0..<32).map { _ in alphabet[Int(generator.next(upperBound: UInt(alphabet.count)))] })
    }

    /// As it was typed: blanks and case do not matter. `nil` for what cannot be one.
    package init?(typed text: String) {
        let text = text.lowercased().filter { !$0.isWhitespace }
        guard text.utf8.count == 32 else { return nil }
        self.text = text
    }

    /// What is stored and looked for: SHA-256, which suffices for 160 random bits.
    package var hash: Data { Data(SHA256.hash(data: Data(text.utf8))) }
}
