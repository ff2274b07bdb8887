package import ConnectionKit
package import Contracts
package import Foundation

/// The store of trusted devices. Whatever changes something also writes the event that tells of it, or nothing at all.
package protocol TrustedDeviceRepository: Sendable {
    /// Adds a device; beyond ``TrustedDevice/maximumPerUser`` the user's oldest go.
    func add(_ device: TrustedDevice, event: DomainEvent, deadline: Deadline) async throws

    /// A user's devices that have not expired, the newest first.
    func devices(of userID: UUID, tenantID: UUID, now: Date, deadline: Deadline) async throws -> [TrustedDevice]

    /// Whether a token of this hash is a device of the user's; notes that it was used.
    func use(
        _ tokenHash: [UInt8], of userID: UUID, tenantID: UUID, now: Date, deadline: Deadline
    ) async throws -> Bool

    /// Forgets one device, or all of a user's.
    /// - Parameter cause: where that is what an event of identity comes to. Once more it spares what was trusted after the store
    ///   of sessions has first heard of it.
    /// - Returns: how many went.
    func forget(
        _ id: UUID?, of userID: UUID, tenantID: UUID, because cause: SessionCause?, event: DomainEvent,
        deadline: Deadline
    ) async throws -> Int
}

extension TrustedDeviceRepository {
    /// Forgets what a user wants forgotten.
    package func forget(
        _ id: UUID?, of userID: UUID, tenantID: UUID, event: DomainEvent, deadline: Deadline
    ) async throws -> Int {
        try await forget(id, of: userID, tenantID: tenantID, because: nil, event: event, deadline: deadline)
    }
}
