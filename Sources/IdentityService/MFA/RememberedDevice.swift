package import ConnectionKit
package import Contracts
package import Foundation

/// A device on which somebody has proven a second factor, and asked not to be asked again for a while.
package struct RememberedDevice: Sendable, Hashable, Identifiable {
    /// How many a user may have: with one more the oldest is forgotten.
    package static let maximumCount = 20

    package let id: UUID
    package let userID: UUID
    package let tenantID: UUID
    /// What the user agent said of itself.
    package let userAgent: String?
    package let createdAt: Date
    package let expiresAt: Date
    package var lastUsedAt: Date?

    package init(
        id: UUID = .v7(), userID: UUID, tenantID: UUID, userAgent: String?, createdAt: Date, expiresAt: Date,
        lastUsedAt: Date? = nil
    ) {
        self.id = id
        self.userID = userID
        self.tenantID = tenantID
        self.userAgent = userAgent.map { String($0.prefix(256)) }
        self.createdAt = createdAt
        self.expiresAt = Date(timeIntervalSince1970: expiresAt.timeIntervalSince1970.rounded(.down))
        self.lastUsedAt = lastUsedAt
    }
}

/// The store of remembered devices.
package protocol RememberedDeviceRepository: Sendable {
    func remember(_ device: RememberedDevice, event: DomainEvent, deadline: Deadline) async throws

    /// Notes that it was used.
    /// - Returns: whether it is still remembered.
    func use(device id: UUID, of userID: UUID, tenantID: UUID, now: Date, deadline: Deadline) async throws -> Bool

    /// Newest first.
    func devices(of userID: UUID, tenantID: UUID, now: Date, deadline: Deadline) async throws -> [RememberedDevice]

    /// Forgets one, or all where none is named.
    /// - Returns: how many.
    func forget(
        device id: UUID?, of userID: UUID, tenantID: UUID, event: DomainEvent, deadline: Deadline
    ) async throws -> Int
}
