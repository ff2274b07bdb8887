import Contracts
package import Foundation
import MicroMiddleware

/// What somebody who registers gives.
package struct RegistrationForm: Sendable {
    package var email: String?
    package var username: String?
    package var phone: String?
    package var password: String
    package var name: String?
    package var tenantID: UUID

    package init(
        email: String? = nil, username: String? = nil, phone: String? = nil, password: String, name: String? = nil,
        tenantID: UUID = DefaultTenant.id
    ) {
        self.email = email
        self.username = username
        self.phone = phone
        self.password = password
        self.name = name
        self.tenantID = tenantID
    }
}

/// Registering: check everything that can be checked without a store, hash, insert once. The store's unique constraints
/// decide races.
package struct Registration: Sendable {
    let repository: any IdentityRepository
    let hasher: any PasswordHashing
    let makeID: @Sendable () -> UUID

    package init(
        repository: any IdentityRepository, hasher: any PasswordHashing,
        makeID: @escaping @Sendable () -> UUID = { .v7() }
    ) {
        self.repository = repository
        self.hasher = hasher
        self.makeID = makeID
    }

    /// - Throws: ``IdentityError/invalid(_:)`` naming every wrong field, ``IdentityError/alreadyRegistered(_:)``,
    ///   ``IdentityError/tenantUnknown``
    package func register(_ form: RegistrationForm, origin: RequestOrigin) async throws -> User {
        let deadline = origin.scope.deadline
        let checked = try check(form)
        let hash = try await hasher.hash(checked.password, deadline: deadline.forHash)
        let user = NewUser(
            id: makeID(), tenantID: form.tenantID, identifiers: checked.identifiers, name: checked.name,
            passwordHash: hash, mustChangePassword: false, roles: [BuiltInRole.member.rawValue])
        let kinds = checked.identifiers.map(\.kind.rawValue).joined(separator: ",")
        let event = try origin.event(
            .userRegistered, user: user.id, tenantID: user.tenantID, actor: user.id, details: ["identifiers": kinds])
        return try await repository.insert(user, event: event, deadline: deadline.forStatement)
    }

    /// Every field, so that one answer names all that is wrong.
    private func check(
        _ form: RegistrationForm
    ) throws(IdentityError) -> (identifiers: [Identifier], password: String, name: String?) {
        var violations: [Violation] = []
        func collect<Value>(_ body: () throws(IdentityError) -> Value?) throws(IdentityError) -> Value? {
            do throws(IdentityError) {
                return try body()
            } catch .invalid(let found) {
                violations += found
                return nil
            }
        }
        let email = try collect { () throws(IdentityError) in try form.email.map(Identifier.email) }
        let username = try collect { () throws(IdentityError) in try form.username.map(Identifier.username) }
        let phone = try collect { () throws(IdentityError) in try form.phone.map(Identifier.phone) }
        let password = try collect { () throws(IdentityError) in try PasswordPolicy().accept(form.password) }
        let name = try collect { () throws(IdentityError) in try form.name.flatMap(PersonName.accept) }
        if form.email == nil, form.username == nil, form.phone == nil {
            violations.append(Violation(field: "email", message: "or username or phone is needed"))
        }
        guard violations.isEmpty, let password else { throw .invalid(violations) }
        return ([email, username, phone].compactMap { $0 }, password, name)
    }
}

/// A person's name as they write it.
package enum PersonName {
    /// The name without blanks around it; `nil` when nothing is left.
    package static func accept(_ text: String) throws(IdentityError) -> String? {
        let name = text.trimmingCharacters(in: .whitespacesAndNewlines)
        guard name.unicodeScalars.count <= 128 else { throw .invalid("name", "must have at most 128 characters") }
        guard name.unicodeScalars.allSatisfy({ $0.properties.generalCategory != .control }) else {
            throw .invalid("name", "must not hold control characters")
        }
        return name.isEmpty ? nil : name
    }
}
