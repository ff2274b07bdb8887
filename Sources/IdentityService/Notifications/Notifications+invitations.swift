import ConnectionKit
import Contracts
import Foundation
import MicroMiddleware

extension Notifications {
    /// Mails the code of an invitation to the address that it is for: the one mail that goes to somebody who is nobody here.
    func invite(_ id: UUID, for event: DomainEvent) async throws {
        let deadline = Deadline.after(.seconds(5))
        // Counted by tenant; what one address gets is bounded by the store.
        guard try await !isEnough(.invitation, to: event.tenantID, for: event, deadline),
            let invitation = try await invitations.toMail(id, tenantID: event.tenantID, deadline: deadline),
            let letter = invitation.letter,
            let tenant = try await repository.tenant(event.tenantID, deadline: deadline), tenant.status == .active
        else { return }
        let code = invitationCodes.code(id: id, salt: letter.salt)
        // While the pepper is being replaced, another process made it under another one: its like makes it again.
        guard try await invitations.invitation(code: code, tenantID: event.tenantID, deadline: deadline)?.id == id
        else {
            throw InvitationCodeUnknown()
        }
        let values = [
            "tenant": Self.nameForStrangers(displayName: tenant.displayName, slug: tenant.slug), "code": code.text,
            "time": Self.time(invitation.expiresAt),
        ]
        try await send(.invitation, values, to: letter.address, of: event.tenantID, for: event)
    }

    /// A tenant chose its name, and whoever is invited need not know it: where the name holds what a reader of mails could
    /// follow, such as a host or an address, it is called by its slug.
    package static func nameForStrangers(displayName: String, slug: String) -> String {
        displayName.contains(#/[\/:@]|\.\S/#) ? slug : displayName
    }
}

/// The code of an invitation was made under another pepper than ours.
package struct InvitationCodeUnknown: Error, CustomStringConvertible {
    package var description: String {
        "the code of the invitation was made under another pepper: invite again"
    }
}
