import Contracts
import Foundation
package import MicroMiddleware

/// An account that an administrator makes for somebody.
package struct UserForm: Decodable, Sendable {
    package var email: String?
    package var username: String?
    package var phone: String?
    package var password: String?
    package var name: String?
    package var roles: [String]?

    package init(
        email: String? = nil, username: String? = nil, phone: String? = nil, password: String? = nil,
        name: String? = nil, roles: [String]? = nil
    ) {
        self.email = email
        self.username = username
        self.phone = phone
        self.password = password
        self.name = name
        self.roles = roles
    }
}

extension UserForm {
    /// Whether the account is to have another role than everybody's.
    var givesPower: Bool { roles?.contains { $0 != BuiltInRole.member.rawValue } ?? false }
}

/// What became of one account of a batch.
package enum UserCreationOutcome: Sendable {
    /// The password is there when none was given: to be shown this once, and changed at the first login.
    case created(User, oneTimePassword: String?)
    case refused(IdentityError)
}

/// Making accounts for others: one, or a batch in which each stands for itself.
package struct UserCreation: Sendable {
    /// Each costs a password hash, and the caller waits for all.
    package static let batchLimit = 50

    let repository: any IdentityRepository
    let roles: any RoleRepository
    let hasher: any PasswordHashing
    let choice: PasswordChoice
    let oneTime: OneTimePassword

    package init(
        repository: any IdentityRepository, roles: any RoleRepository, hasher: any PasswordHashing,
        choice: PasswordChoice? = nil, oneTime: OneTimePassword = OneTimePassword()
    ) {
        self.oneTime = oneTime
        self.repository = repository
        self.roles = roles
        self.hasher = hasher
        self.choice = choice ?? PasswordChoice(hasher: hasher)
    }

    /// - Throws: ``IdentityError/invalid(_:)``, ``IdentityError/alreadyRegistered(_:)``, ``IdentityError/beyondAuthority``
    package func create(
        _ form: UserForm, by identity: AccessTokenClaims, origin: RequestOrigin
    ) async throws -> (user: User, oneTimePassword: String?) {
        let deadline = origin.scope.deadline
        guard let tenant = try await repository.tenant(identity.tenantID, deadline: deadline.forStatement) else {
            throw IdentityError.tenantNotFound
        }
        let names = Set(form.roles ?? []).union([BuiltInRole.member.rawValue]).sorted()
        try await check(names, by: identity, origin: origin)
        let made = form.password == nil ? OneTimePassword.make() : nil
        let registration = RegistrationForm(
            email: form.email, username: form.username, phone: form.phone, password: form.password ?? made ?? "",
            transmission: made == nil ? nil : "plain", name: form.name, tenantID: tenant.id)
        let checked = try Registration.check(
            registration, policy: tenant.passwordPolicy, methods: tenant.loginMethods)
        let password = try await choice.accept(
            registration.password, declared: registration.transmission, policy: tenant.passwordPolicy,
            tenantID: tenant.id, field: "password")
        let user = NewUser(
            id: .v7(), tenantID: tenant.id, identifiers: checked.identifiers, name: checked.name,
            passwordHash: try await hasher.hash(password, deadline: deadline.forHash),
            mustChangePassword: made != nil, passwordExpiresAt: made.map { _ in oneTime.expiry }, roles: names)
        let event = try origin.event(
            .userCreated, user: user.id, tenantID: user.tenantID, actor: identity.subject,
            session: identity.sessionID, details: ["roles": names.joined(separator: ",")])
        return (try await repository.insert(user, event: event, deadline: deadline.forStatement), made)
    }

    /// One outcome for each form, in their order.
    /// - Throws: ``IdentityError/invalid(_:)`` for too many; what keeps all of them from being made.
    package func create(
        _ forms: [UserForm], by identity: AccessTokenClaims, origin: RequestOrigin
    ) async throws -> [UserCreationOutcome] {
        guard (1...Self.batchLimit).contains(forms.count) else {
            throw IdentityError.invalid("users", "must be 1 to \(Self.batchLimit)")
        }
        var outcomes: [UserCreationOutcome] = []
        for form in forms {
            do {
                let created = try await create(form, by: identity, origin: origin)
                outcomes.append(.created(created.user, oneTimePassword: created.oneTimePassword))
            } catch let error as IdentityError {
                outcomes.append(.refused(error))
            }
        }
        return outcomes
    }

    private func check(_ names: [String], by identity: AccessTokenClaims, origin: RequestOrigin) async throws {
        try Membership.requireRoom(for: names)
        let custom = names.filter { BuiltInRole(rawValue: $0) == nil }
        var own: [CustomRole] = []
        var extra: [String] = []
        if !custom.isEmpty {
            own = try await roles.roles(tenantID: identity.tenantID, deadline: origin.scope.deadline.forStatement)
            for name in custom {
                guard let role = own.first(where: { $0.name == name }) else {
                    throw IdentityError.invalid("roles", "has no such role: \(name)")
                }
                extra += role.permissions
            }
        }
        // Without such roles there is no application's permission to hold.
        try identity.authority(among: own).require(covering: Authority(roles: names, extra: extra))
    }
}
