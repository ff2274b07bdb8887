package import ConnectionKit
package import Contracts
package import Foundation

/// Where profiles are kept: one of each user in each tenant that they work in, apart from those of the others.
package protocol ProfileRepository: Sendable {
    /// The profile, or nil where nothing was ever written for this user of this tenant.
    func profile(of userID: UUID, tenantID: UUID, deadline: Deadline) async throws -> Profile?

    /// The tenants in which the user has a profile.
    func tenants(of userID: UUID, deadline: Deadline) async throws -> [UUID]

    /// Changes a profile and records the event in one transaction. A profile that is not there begins empty.
    /// - Parameters:
    ///   - expected: the version that it must have; nil for any.
    ///   - event: written with the change.
    ///   - change: may throw, and then nothing is changed.
    /// - Returns: The profile as changed, its version one higher.
    /// - Throws: ``ProfileError/stale`` when the version is another.
    func change(
        _ userID: UUID, tenantID: UUID, expected: Int64?, event: DomainEvent, deadline: Deadline,
        _ change: @Sendable (inout Profile) throws -> Void
    ) async throws -> Profile

    /// The profiles of a tenant whose nickname or name contains `text`, in any case; all of them for an empty text. How many
    /// there are is counted up to `Page.countedAhead` behind the page.
    func search(
        _ text: String, tenantID: UUID, offset: Int, limit: Int, deadline: Deadline
    ) async throws -> (profiles: [Profile], total: Int)

    /// A user's picture, and who may see it beside them; nil where there is none.
    func avatar(
        of userID: UUID, tenantID: UUID, deadline: Deadline
    ) async throws -> (avatar: Avatar, visibility: Visibility)?

    /// Puts or removes a picture, and its address into the field `avatar_url`, as ``change(_:tenantID:expected:event:deadline:_:)``.
    /// Whatever else changes that field removes the picture.
    func setAvatar(
        _ avatar: Avatar?, of userID: UUID, tenantID: UUID, expected: Int64?, event: DomainEvent, deadline: Deadline
    ) async throws -> Profile

    /// What custom fields a tenant has; nil where it has never said, and any are taken.
    func customFields(of tenantID: UUID, deadline: Deadline) async throws -> CustomFieldSchema?

    /// Replaces what custom fields a tenant has, or forgets it. Profiles stay as they are until they are changed.
    func setCustomFields(
        _ schema: CustomFieldSchema?, of tenantID: UUID, event: DomainEvent, deadline: Deadline
    ) async throws
}
