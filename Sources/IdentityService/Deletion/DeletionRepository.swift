package import ConnectionKit
package import Contracts
package import Foundation

/// How far the deletion of an account has come.
package struct Deletion: Sendable, Hashable {
    /// The services that must have erased what they hold before it is complete.
    package static let services: Set<String> = ["identity", "session", "profile", "mfa"]

    package let id: UUID
    package let requestedAt: Date
    package let erased: Set<String>
    package let completedAt: Date?

    package init(id: UUID, requestedAt: Date, erased: Set<String>, completedAt: Date?) {
        self.id = id
        self.requestedAt = requestedAt
        self.erased = erased
        self.completedAt = completedAt
    }
}

/// What a user asked to be given.
package struct DataExport: Sendable {
    package let id: UUID
    package let requestedAt: Date
    package let expiresAt: Date
    /// `nil` until all parts are there.
    package let bundle: [UInt8]?

    package init(id: UUID, requestedAt: Date, expiresAt: Date, bundle: [UInt8]?) {
        self.id = id
        self.requestedAt = requestedAt
        self.expiresAt = expiresAt
        self.bundle = bundle
    }
}

/// The store of deletions and exports.
package protocol DeletionRepository: Sendable {
    /// Takes from the user everything by which a person could be told, keeps the bare id as deleted, and writes the event,
    /// whose id names the deletion.
    ///
    /// - Returns: `nil` when there is no such user any more.
    /// - Throws: ``IdentityError/lastOwner`` for the last owner of a tenant.
    func delete(
        _ userID: UUID, tenantID: UUID, event: DomainEvent, deadline: Deadline
    ) async throws -> Stored<Deletion>?

    /// The same for a user whom something else has marked as deleted; twice is as good as once.
    func finishDeletion(of userID: UUID, tenantID: UUID, eventID: UUID, deadline: Deadline) async throws

    /// That a service has nothing of the user any more. When it was the last, the event is written.
    func recordErasure(
        of userID: UUID, tenantID: UUID, by service: String, completion: DomainEvent, deadline: Deadline) async throws

    func deletion(_ id: UUID, deadline: Deadline) async throws -> Deletion?

    /// Where the last mail goes, until it has been sent.
    func takeLastAddress(of userID: UUID, forget: Bool, deadline: Deadline) async throws -> String?

    /// - Returns: `nil` when the user has asked five times within a day.
    func requestExport(
        of userID: UUID, tenantID: UUID, expiresAt: Date, event: DomainEvent, deadline: Deadline
    ) async throws -> DataExport?

    func storeExport(_ id: UUID, bundle: [UInt8], event: DomainEvent, deadline: Deadline) async throws

    /// One of the user's own that has not expired.
    func export(_ id: UUID, of userID: UUID, tenantID: UUID, now: Date, deadline: Deadline) async throws -> DataExport?

    /// The tenants in which the user is or waits to be a guest, the newest 500.
    func hosts(of userID: UUID, deadline: Deadline) async throws -> [UUID]

    /// What this service holds about the user, each part as the text of a JSON value.
    func personalData(of userID: UUID, tenantID: UUID, deadline: Deadline) async throws -> [String: String]
}
