package import ConnectionKit
package import Contracts
package import Foundation

/// The store of who works where. Whatever changes something takes the event that tells of it and stores both or neither.
package protocol MembershipRepository: Sendable {
    /// Where a user works, the own tenant first, then the oldest; at most ``Membership/mostListed``.
    func memberships(of userID: UUID, deadline: Deadline) async throws -> [MembershipInTenant]

    /// Makes the user a guest of the tenant that a code invites to, and uses the code up. Of many at once one gets it.
    /// - Throws: ``IdentityError/invitationInvalid``, also for who is a member there already, and one of more than
    ///   ``Membership/maximumRoles``
    func accept(
        _ code: InvitationCode, userID: UUID, event: @Sendable (Membership) throws -> DomainEvent, deadline: Deadline
    ) async throws -> Membership

    /// Lets somebody in who waits for approval, or back in who was shut out.
    /// - Returns: the event as it is stored; `nil` where there was no such membership.
    func setStatus(
        _ status: Membership.Status, of userID: UUID, tenantID: UUID, from present: [Membership.Status],
        event: DomainEvent, deadline: Deadline
    ) async throws -> DomainEvent?

    /// Ends a guest's membership, where it is one of those. The own tenant's cannot be ended: that is deleting the account.
    /// - Returns: the event as it is stored.
    /// - Throws: ``IdentityError/userUnknown``, ``IdentityError/lastOwner``; ``IdentityError/accountDisabled`` for a guest who
    ///   is shut out, where `present` leaves those out
    func remove(
        _ userID: UUID, tenantID: UUID, from present: [Membership.Status], event: DomainEvent, deadline: Deadline
    ) async throws -> DomainEvent
}
