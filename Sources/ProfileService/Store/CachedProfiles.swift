package import ConnectionKit
package import Contracts
package import Foundation
package import MicroMiddleware

/// Profiles through the cache: what nobody has changed lately is read without the database.
package struct CachedProfiles: Sendable {
    private let repository: any ProfileRepository
    private let cache: CacheAside<Profile>

    package init(_ repository: any ProfileRepository, cache: CacheAside<Profile>) {
        self.repository = repository
        self.cache = cache
        cache.preloading { tenantID, id in
            try await repository.profile(of: id, tenantID: tenantID, deadline: .after(.seconds(1)))
        }
    }

    /// As ``ProfileRepository/profile(of:tenantID:deadline:)``.
    ///
    /// - Parameter reader: who asks.
    package func profile(
        of userID: UUID, tenantID: UUID, for reader: UUID, deadline: Deadline
    ) async throws -> Profile? {
        try await cache.value(of: userID, in: tenantID, for: reader, deadline: deadline) {
            try await repository.profile(of: userID, tenantID: tenantID, deadline: deadline)
        }
    }

    /// Erases a user's profiles; nobody reads one of them afterwards.
    package func erasing(_ userID: UUID, _ erase: () async throws -> Void) async throws {
        let tenants = try await repository.tenants(of: userID, deadline: .after(.seconds(10)))
        try await changing(userID, in: tenants[...], erase)
    }

    /// One inside of the other, so that the change lies within the marks of all.
    private func changing(
        _ userID: UUID, in tenants: ArraySlice<UUID>, _ change: () async throws -> Void
    ) async throws {
        guard let tenantID = tenants.first else { return try await change() }
        try await cache.changing(userID, in: tenantID) {
            try await changing(userID, in: tenants.dropFirst(), change)
        }
    }

    /// As ``ProfileRepository/change(_:tenantID:expected:event:deadline:_:)``; nobody reads the profile of before afterwards.
    package func change(
        _ userID: UUID, tenantID: UUID, expected: Int64?, event: DomainEvent, deadline: Deadline,
        _ change: @Sendable (inout Profile) throws -> Void
    ) async throws -> Profile {
        try await cache.changing(userID, in: tenantID) {
            try await repository.change(
                userID, tenantID: tenantID, expected: expected, event: event, deadline: deadline, change)
        }
    }

    /// As ``ProfileRepository/setAvatar(_:of:tenantID:expected:event:deadline:)``, likewise.
    package func setAvatar(
        _ avatar: Avatar?, of userID: UUID, tenantID: UUID, expected: Int64?, event: DomainEvent, deadline: Deadline
    ) async throws -> Profile {
        try await cache.changing(userID, in: tenantID) {
            try await repository.setAvatar(
                avatar, of: userID, tenantID: tenantID, expected: expected, event: event, deadline: deadline)
        }
    }
}
