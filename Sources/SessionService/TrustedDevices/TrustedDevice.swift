package import Foundation

/// A device of which its user has said that it is theirs. It holds a token; here is the token's hash.
package struct TrustedDevice: Sendable, Hashable, Identifiable {
    /// Of one user; the one trusted first goes for one too many.
    package static let maximumPerUser = 20
    /// Until it has to be trusted again.
    package static let lifetime = Duration.days(90)

    package let id: UUID
    package let tenantID: UUID
    package let userID: UUID
    /// The session in which the user said so.
    package let sessionID: UUID
    package var name: String
    /// SHA-256, 32 bytes.
    package var tokenHash: [UInt8]
    package var userAgent: String?
    package var ip: String?
    package var createdAt: Date
    package var lastUsedAt: Date?
    package var expiresAt: Date

    package init(
        id: UUID, tenantID: UUID, userID: UUID, sessionID: UUID, name: String, tokenHash: [UInt8],
        userAgent: String? = nil, ip: String? = nil, createdAt: Date, lastUsedAt: Date? = nil, expiresAt: Date
    ) {
        self.id = id
        self.tenantID = tenantID
        self.userID = userID
        self.sessionID = sessionID
        self.name = name
        self.tokenHash = tokenHash
        self.userAgent = userAgent
        self.ip = ip
        self.createdAt = createdAt
        self.lastUsedAt = lastUsedAt
        self.expiresAt = expiresAt
    }
}
