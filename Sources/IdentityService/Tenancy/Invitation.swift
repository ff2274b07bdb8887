import Crypto
package import Foundation
package import MicroMiddleware

/// A code that makes one person a member, once.
package struct Invitation: Sendable, Hashable, Identifiable {
    /// What it takes to mail it.
    package struct Letter: Sendable, Hashable {
        /// The address, as the administrator wrote it.
        package let address: String
        /// What ``InvitationCodes`` makes the code of.
        package let salt: [UInt8]

        package init(address: String, salt: [UInt8]) {
            self.address = address
            self.salt = salt
        }
    }

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
    /// `nil` when there is no address to mail it to.
    package var letter: Letter?

    package init(
        id: UUID, tenantID: UUID, emailKey: String? = nil, roles: [String], createdBy: UUID?, createdAt: Date,
        expiresAt: Date, usedAt: Date? = nil, revokedAt: Date? = nil, letter: Letter? = nil
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
        self.letter = letter
    }

    /// `open`, `used`, `revoked` or `expired` at a moment.
    package func status(at now: Date) -> String {
        if usedAt != nil { return "used" }
        if revokedAt != nil { return "revoked" }
        return expiresAt <= now ? "expired" : "open"
    }

    /// Whether whoever joins by it can hold what it gives. Those of before the limit of ``Membership/maximumRoles`` may give more.
    package var givesNotTooMuch: Bool { roles.count <= Membership.maximumRoles }
}

/// How the code of a new invitation gets to whom it is for.
package enum InvitationDelivery: Sendable, Hashable {
    /// There is no address: whoever made it hands it on.
    case byHand
    /// By mail, unless a limit that cannot be told of keeps it back.
    case mail
    /// Not by mail: the tenant has had as many sent to the address within the hour as it may.
    case withheld
}

/// What an invited person types: 32 letters and digits, 160 random bits. The store knows its hash alone.
package struct InvitationCode: Sendable {
    private static let alphabet = Array("abcdefghijklmnopqrstuvwxyz234567".utf8)
    private static let length = 32

    package let text: String

    /// A new one.
    package init() {
        var generator = SystemRandomNumberGenerator()
        self.init(randomBytes: (0..<Self.length).map { _ in generator.next() })
    }

    /// One letter a byte, of which five bits count: there are 32 letters, so each is as likely as the others.
    fileprivate init(randomBytes bytes: some Sequence<UInt8>) {
        text = String(
            decoding: bytes.prefix(Self.length).map { Self.alphabet[Int($0) % Self.alphabet.count] }, as: UTF8.self)
    }

    /// As it was typed: blanks and case do not matter. `nil` for what cannot be one.
    package init?(typed text: String) {
        let text = text.lowercased().filter { !$0.isWhitespace }
        guard text.utf8.count == Self.length else { return nil }
        self.text = text
    }

    /// What is stored and looked for: SHA-256, which suffices for 160 random bits.
    package var hash: Data { Data(SHA256.hash(data: Data(text.utf8))) }
}

/// Makes the codes of invitations that are mailed, so that whoever sends the mail makes the same code again, and neither the
/// database nor the stream of events gives it away: the HMAC of the invitation's id and salt under a key derived from the pepper
/// (HKDF, RFC 5869), as ``OneTimeCodes``.
package struct InvitationCodes: Sendable {
    private let key: SymmetricKey

    package init(pepper: Secret<String>) {
        key = HKDF<SHA256>.deriveKey(
            inputKeyMaterial: SymmetricKey(data: Data(pepper.reveal().utf8)), info: Data("authms invitations".utf8),
            outputByteCount: 32)
    }

    /// - Parameter salt: 32 random bytes of the invitation's own.
    package func code(id: UUID, salt: [UInt8]) -> InvitationCode {
        var mac = HMAC<SHA256>(key: key)
        mac.update(data: withUnsafeBytes(of: id.uuid) { Data($0) })
        mac.update(data: Data(salt))
        return InvitationCode(randomBytes: mac.finalize())
    }
}
