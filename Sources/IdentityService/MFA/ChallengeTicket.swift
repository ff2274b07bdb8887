import Contracts
package import Foundation
package import MicroMiddleware

/// What a challenge token says: whose password was right, and until when the second factor may follow.
///
/// It is signed, so that nothing is stored for a login that is never completed; that it is used once is the mfa service's to
/// see to, which holds the challenge of the same id.
package struct ChallengeTicket: Sendable, Hashable, Codable {
    package enum Purpose: String, Sendable, Hashable, Codable {
        /// Completes a login.
        case login
        /// Proves somebody anew who is signed in.
        case stepUp = "step_up"
        /// A login by passkey alone: nobody is named yet.
        case passkey
    }

    /// The `typ` of its token, so that it is taken for nothing else.
    static let type = "mfa-challenge+jwt"
    /// How long the second factor may take.
    package static let lifetime = Duration.seconds(300)
    /// No longer text is looked at.
    static let maximumTextCount = 2_048

    package var id: UUID
    /// The nil UUID where nobody is named yet.
    package var userID: UUID
    package var tenantID: UUID
    package var purpose: Purpose
    package var expiresAt: Date
    /// Which password was right: microseconds of its last change. Changed since, the login begins anew.
    package var passwordStamp: Int64

    package init(
        id: UUID = .v7(), userID: UUID, tenantID: UUID, purpose: Purpose, expiresAt: Date, passwordStamp: Int64 = 0
    ) {
        self.id = id
        self.userID = userID
        self.tenantID = tenantID
        self.purpose = purpose
        self.expiresAt = Date(timeIntervalSince1970: expiresAt.timeIntervalSince1970.rounded(.down))
        self.passwordStamp = passwordStamp
    }

    package enum CodingKeys: String, CodingKey {
        case id = "jti"
        case userID = "sub"
        case tenantID = "tenant_id"
        case purpose
        case expiresAt = "exp"
        case passwordStamp = "pwd"
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            id: try container.decode(UUID.self, forKey: .id), userID: try container.decode(UUID.self, forKey: .userID),
            tenantID: try container.decode(UUID.self, forKey: .tenantID),
            purpose: try container.decode(Purpose.self, forKey: .purpose),
            expiresAt: Date(timeIntervalSince1970: Double(try container.decode(Int64.self, forKey: .expiresAt))),
            passwordStamp: try container.decode(Int64.self, forKey: .passwordStamp))
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(id.text, forKey: .id)
        try container.encode(userID.text, forKey: .userID)
        try container.encode(tenantID.text, forKey: .tenantID)
        try container.encode(purpose, forKey: .purpose)
        try container.encode(Int64(expiresAt.timeIntervalSince1970), forKey: .expiresAt)
        try container.encode(passwordStamp, forKey: .passwordStamp)
    }
}

/// Writes and reads challenge tokens.
package struct ChallengeTickets: Sendable {
    let ring: KeyRing
    let now: @Sendable () -> Date

    package init(ring: KeyRing, now: @escaping @Sendable () -> Date = { Date() }) {
        self.ring = ring
        self.now = now
    }

    /// The end of a challenge that begins now.
    package var expiry: Date { now().addingTimeInterval(Double(ChallengeTicket.lifetime.components.seconds)) }

    /// - Throws: `KeyRingError.noActiveKey`
    package func text(of ticket: ChallengeTicket) throws -> String {
        try SignedStatement.sign(ticket, type: ChallengeTicket.type, ring: ring)
    }

    /// - Throws: ``IdentityError/challengeInvalid`` for one that is forged, over, or for something else.
    package func read(_ text: String, for purpose: ChallengeTicket.Purpose) throws(IdentityError) -> ChallengeTicket {
        guard text.utf8.count <= ChallengeTicket.maximumTextCount,
            let ticket = try? SignedStatement.verify(
                text, type: ChallengeTicket.type, ring: ring, as: ChallengeTicket.self),
            ticket.purpose == purpose, now() < ticket.expiresAt
        else { throw .challengeInvalid }
        return ticket
    }
}

extension Account {
    /// Names the password in force, and says nothing of it.
    package var passwordStamp: Int64 { Int64((passwordChangedAt.timeIntervalSince1970 * 1_000_000).rounded()) }
}
