package import Foundation

/// That the tokens of a session, a user or a tenant are refused from now on: what the session service stores,
/// publishes and serves, and what every verifier keeps in memory.
package struct Revocation: Sendable, Hashable {
    /// What is revoked.
    package enum Kind: String, Codable, Sendable, CaseIterable {
        case session, user, tenant
    }

    /// Rises with each revocation of the session service's database; 0 when unknown.
    package var sequence: Int64
    package var kind: Kind
    /// The identifier of the session, user or tenant.
    package var subjectID: UUID
    /// For a user: the tenant whose tokens are refused, or nil for all that the user has, in whatever tenant. Who does not know
    /// this member refuses more, which is the safe side.
    package var tenantID: UUID?
    /// For a user or a tenant: tokens issued before this moment are refused, later ones are not.
    package var issuedBefore: Date?
    /// When the last token concerned has expired and the revocation can be forgotten.
    package var expiresAt: Date

    package init(
        sequence: Int64, kind: Kind, subjectID: UUID, tenantID: UUID? = nil, issuedBefore: Date?, expiresAt: Date
    ) {
        self.sequence = sequence
        self.kind = kind
        self.subjectID = subjectID
        self.tenantID = tenantID
        self.issuedBefore = issuedBefore
        self.expiresAt = expiresAt
    }
}

extension Revocation: Codable {
    private enum CodingKeys: String, CodingKey {
        case sequence, kind
        case subjectID = "subject_id"
        case tenantID = "tenant_id"
        case issuedBefore = "issued_before_ms"
        case expiresAt = "expires_at_ms"
    }

    /// Times travel as whole milliseconds since 1970, whatever the decoder's strategy for dates is.
    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        sequence = try container.decode(Int64.self, forKey: .sequence)
        kind = try container.decode(Kind.self, forKey: .kind)
        subjectID = try container.decode(UUID.self, forKey: .subjectID)
        tenantID = try container.decodeIfPresent(UUID.self, forKey: .tenantID)
        issuedBefore = try container.decodeIfPresent(Int64.self, forKey: .issuedBefore).map(Self.date)
        expiresAt = Self.date(try container.decode(Int64.self, forKey: .expiresAt))
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(sequence, forKey: .sequence)
        try container.encode(kind, forKey: .kind)
        try container.encode(subjectID.text, forKey: .subjectID)
        try container.encodeIfPresent(tenantID?.text, forKey: .tenantID)
        try container.encodeIfPresent(issuedBefore.map(Self.milliseconds), forKey: .issuedBefore)
        try container.encode(Self.milliseconds(expiresAt), forKey: .expiresAt)
    }

    /// Rounded up: never a revocation that ends, or covers, earlier than it was meant to.
    private static func milliseconds(_ date: Date) -> Int64 {
        Int64((date.timeIntervalSince1970 * 1_000).rounded(.up))
    }

    private static func date(_ milliseconds: Int64) -> Date {
        Date(timeIntervalSince1970: Double(milliseconds) / 1_000)
    }
}
