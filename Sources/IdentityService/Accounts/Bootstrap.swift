package import Contracts
import Foundation
import MicroMiddleware

/// Creating the first administrator: the owner of the default tenant, once, with a password to be changed.
package struct Bootstrap: Sendable {
    let repository: any IdentityRepository
    let hasher: any PasswordHashing

    package init(repository: any IdentityRepository, hasher: any PasswordHashing) {
        self.repository = repository
        self.hasher = hasher
    }

    /// - Throws: ``IdentityError/invalid(_:)``, ``IdentityError/alreadyRegistered(_:)``
    package func createOwner(_ request: BootstrapRequest, origin: RequestOrigin) async throws -> BootstrapAnswer {
        let deadline = origin.scope.deadline
        let email = try Identifier.email(request.email)
        let made = request.password == nil ? OneTimePassword.make() : nil
        let password = try PasswordPolicy().accept(request.password ?? made ?? "")
        let user = NewUser(
            id: .v7(), tenantID: DefaultTenant.id, identifiers: [email], name: nil,
            passwordHash: try await hasher.hash(password, deadline: deadline.forHash), mustChangePassword: true,
            // Good until it is used, unlike others for one login: nobody is there yet who could make another, and there is
            // no second first owner.
            passwordExpiresAt: nil, roles: [BuiltInRole.owner.rawValue])
        let event = try DomainEvent(
            type: .administratorCreated, subject: user.id.text, tenantID: user.tenantID,
            data: EventDetail(actorType: "service", requestID: origin.scope.requestID, status: .success))
        let created = try await repository.insertFirstOwner(user, event: event, deadline: deadline.forStatement)
        guard let created else { return BootstrapAnswer(created: false, email: email.text) }
        return BootstrapAnswer(created: true, userID: created.id, email: email.text, oneTimePassword: made)
    }
}
