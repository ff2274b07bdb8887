package import ConnectionKit
package import Contracts
package import Foundation

/// The store of invitations. A code is used up where it is used: by the insertion of a user, or by
/// ``MembershipRepository/accept(_:userID:event:deadline:)``.
package protocol InvitationRepository: Sendable {
    /// With the letter, where it has one.
    /// - Returns: how many its own tenant had made for its address within the hour before; 0 without an address. What other tenants
    ///   send there is not theirs to know.
    func insert(_ invitation: Invitation, codeHash: Data, event: DomainEvent, deadline: Deadline) async throws -> Int

    /// Newest first, and how many there are in all, counted up to `countLimit`.
    func invitations(
        tenantID: UUID, offset: Int, limit: Int, deadline: Deadline
    ) async throws -> (invitations: [Invitation], total: Int)

    /// The invitation that an event calls to mail.
    /// - Returns: `nil` when it is not open any more, there is no letter, or so many were made for its address within the hour
    ///   before it: ``Invitations/hourlyLimitOfAddress`` by its tenant, or ``Invitations/hourlyLimitOfAddressInAll``.
    func toMail(_ id: UUID, tenantID: UUID, deadline: Deadline) async throws -> Invitation?

    /// The invitation with a code, whatever has become of it; of any tenant where none is given.
    func invitation(code: InvitationCode, tenantID: UUID?, deadline: Deadline) async throws -> Invitation?

    /// - Returns: whether there was one that had been neither used nor revoked.
    func revoke(_ id: UUID, tenantID: UUID, event: DomainEvent, deadline: Deadline) async throws -> Bool
}
