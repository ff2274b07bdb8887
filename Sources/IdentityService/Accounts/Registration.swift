import ConnectionKit
import Contracts
package import Foundation
import MicroMiddleware

/// What somebody who registers gives.
package struct RegistrationForm: Sendable {
    package var email: String?
    package var username: String?
    package var phone: String?
    package var password: String
    /// `plain` or `hash`, where the client says so.
    package var transmission: String?
    package var name: String?
    package var tenantID: UUID
    package var invitationCode: String?

    package init(
        email: String? = nil, username: String? = nil, phone: String? = nil, password: String,
        transmission: String? = nil, name: String? = nil, tenantID: UUID = DefaultTenant.id,
        invitationCode: String? = nil
    ) {
        self.email = email
        self.username = username
        self.phone = phone
        self.password = password
        self.transmission = transmission
        self.name = name
        self.tenantID = tenantID
        self.invitationCode = invitationCode
    }
}

/// Registering: check everything that can be checked without a store, look whether the identity is taken, one hash, one write.
/// The store's unique constraints decide races.
///
/// Whether an e-mail address or a phone number is taken is not told, unless the tenant wants it told: the answer and the
/// work are those of a registration, and the owner hears of it by mail. With the owner's own password it is the owner who
/// registers again, and gets the same account. That tells a right password from a wrong one, so it counts as a login does. A
/// username that is taken is told: it is public, and another must be chosen.
package struct Registration: Sendable {
    let repository: any IdentityRepository
    let hasher: any PasswordHashing
    let choice: PasswordChoice
    let throttle: any Throttling
    /// Where a code is looked at before it is told whether an identity is taken; the insertion decides either way.
    let invitations: (any InvitationRepository)?
    let makeID: @Sendable () -> UUID

    package init(
        repository: any IdentityRepository, hasher: any PasswordHashing, choice: PasswordChoice? = nil,
        throttle: any Throttling = NoThrottle(), invitations: (any InvitationRepository)? = nil,
        makeID: @escaping @Sendable () -> UUID = { .v7() }
    ) {
        self.repository = repository
        self.hasher = hasher
        self.choice = choice ?? PasswordChoice(hasher: hasher)
        self.throttle = throttle
        self.invitations = invitations
        self.makeID = makeID
    }

    /// - Throws: ``IdentityError/invalid(_:)`` naming every wrong field, ``IdentityError/alreadyRegistered(_:)``,
    ///   ``IdentityError/tenantUnknown``, ``IdentityError/invitationInvalid``
    package func register(_ form: RegistrationForm, origin: RequestOrigin) async throws -> User {
        let deadline = origin.scope.deadline
        guard let tenant = try await repository.tenant(form.tenantID, deadline: deadline.forStatement),
            tenant.status == .active
        else {
            // What is wrong with the form is said first, as ever.
            _ = try Self.check(form, policy: PasswordPolicy())
            throw IdentityError.tenantUnknown
        }
        let checked = try Self.check(form, policy: tenant.passwordPolicy, methods: tenant.loginMethods)
        let admission = try await admit(form, checked, to: tenant, deadline: deadline)
        let password = try await choice.accept(
            form.password, declared: form.transmission, policy: tenant.passwordPolicy, tenantID: tenant.id,
            field: "password")
        let taken = try await taken(checked.identifiers, of: tenant, deadline: deadline)
        // Asked of whoever is new as well, so that the time is the same; they are let in whatever the answer.
        let guess = try await admitGuess(
            at: taken?.identifier ?? checked.identifiers.first { $0.kind != .username }, of: tenant, origin: origin)
        if let taken {
            return try await again(
                checked, password: password, taken: taken.account, guess: guess, tenant: tenant,
                membership: admission.membership, origin: origin)
        }
        let hash = try await hasher.hash(password, deadline: deadline.forHash)
        let user = NewUser(
            id: makeID(), tenantID: form.tenantID, identifiers: checked.identifiers, name: checked.name,
            passwordHash: hash, mustChangePassword: false, roles: [BuiltInRole.member.rawValue],
            membership: admission.membership, invitation: admission.invitation)
        let kinds = checked.identifiers.map(\.kind.rawValue).joined(separator: ",")
        let event = try origin.event(
            .userRegistered, user: user.id, tenantID: user.tenantID, actor: user.id,
            details: [
                "identifiers": kinds, "membership": user.membership.rawValue,
                "by_invitation": user.invitation == nil ? "false" : "true",
            ])
        do {
            return try await repository.insert(user, event: event, deadline: deadline.forStatement)
        } catch IdentityError.alreadyRegistered(let kind) where kind != .username && !tenant.registrationDiscloses {
            // Somebody else was faster.
            return Self.pretended(user)
        }
    }

    /// An invitation opens every tenant, and saves waiting for approval.
    private func admit(
        _ form: RegistrationForm, _ checked: Checked, to tenant: Tenant, deadline: Deadline
    ) async throws -> (membership: Membership.Status, invitation: InvitationCode?) {
        if let text = form.invitationCode {
            guard let code = InvitationCode(typed: text) else { throw IdentityError.invitationInvalid }
            if let invitations {
                let email = checked.identifiers.first { $0.kind == .email }?.key
                let found = try await invitations.invitation(
                    code: code, tenantID: tenant.id, deadline: deadline.forStatement)
                guard let found, found.status(at: Date()) == "open", found.givesNotTooMuch,
                    found.emailKey == nil || found.emailKey == email
                else { throw IdentityError.invitationInvalid }
            }
            return (.active, code)
        }
        switch tenant.membership {
        case .open: return (.active, nil)
        case .approval: return (.pending, nil)
        case .invitation: throw IdentityError.invalid("invitation_code", "is needed to register here")
        }
    }

    // MARK: - Identities that are taken

    /// The account that has the e-mail address or the phone number, where that may not be told.
    /// - Throws: ``IdentityError/alreadyRegistered(_:)``
    private func taken(
        _ identifiers: [Identifier], of tenant: Tenant, deadline: Deadline
    ) async throws -> (identifier: Identifier, account: Account)? {
        var taken: (identifier: Identifier, account: Account)?
        var refused: IdentifierKind?
        for identifier in identifiers {
            let lookup = try await repository.lookUp(identifier, tenantID: tenant.id, deadline: deadline.forStatement)
            guard case .found(let account) = lookup else { continue }
            if identifier.kind == .username || tenant.registrationDiscloses {
                refused = refused ?? identifier.kind
            } else {
                taken = taken ?? (identifier, account)
            }
        }
        if let refused { throw IdentityError.alreadyRegistered(refused) }
        return taken
    }

    /// Whether a password may be tried for the identity, by the counters of its logins.
    /// - Returns: `nil` when it may not now.
    private func admitGuess(
        at identifier: Identifier?, of tenant: Tenant, origin: RequestOrigin
    ) async throws -> Admission? {
        guard let identifier else { return .unthrottled }
        do {
            return try await throttle.admit(
                SignInAttempt(identity: identifier.text, password: "", tenantID: tenant.id), origin: origin)
        } catch IdentityError.throttled, IdentityError.proofNeeded {
            return nil
        }
    }

    /// - Parameter guess: `nil` where the password may not be tried now. Then it is nobody's, for the same work.
    private func again(
        _ checked: Checked, password: String, taken: Account, guess: Admission?, tenant: Tenant,
        membership: Membership.Status, origin: RequestOrigin
    ) async throws -> User {
        let deadline = origin.scope.deadline
        var isTheirs = false
        if guess == nil {
            _ = try await hasher.hash(password, deadline: deadline.forHash)
        } else {
            let verdict = try await hasher.verify(password, against: taken.passwordHash, deadline: deadline.forHash)
            isTheirs = verdict.matches && !taken.isPasswordOver(at: Date())
        }
        let event = try origin.event(
            .registrationRepeated, user: taken.user.id, tenantID: tenant.id, actor: nil,
            status: isTheirs ? .success : .failure)
        // Counted while the event is written: nothing is counted of somebody new, who must not be answered the faster for it.
        async let counted = count(guess, isTheirs: isTheirs)
        async let written: Void = repository.append(event, deadline: deadline.forStatement)
        let isNoticed = await counted
        try await written
        if isNoticed {
            let event = try origin.event(
                .userLocked, user: taken.user.id, tenantID: tenant.id, actor: nil, status: .failure,
                message: "password_wrong")
            try await repository.append(event, deadline: deadline.forStatement)
        }
        if isTheirs, taken.isUsable { return taken.user }
        return Self.pretended(
            NewUser(
                id: makeID(), tenantID: tenant.id, identifiers: checked.identifiers, name: checked.name,
                passwordHash: "", mustChangePassword: false, roles: [], membership: membership))
    }

    /// - Returns: whether the owner should hear that somebody guesses, as after so many failed logins.
    private func count(_ guess: Admission?, isTheirs: Bool) async -> Bool {
        guard let guess else { return false }
        guard isTheirs else { return await throttle.failed(guess) }
        await throttle.succeeded(guess)
        return false
    }

    /// Nobody, looking like somebody who has just registered.
    private static func pretended(_ user: NewUser) -> User {
        User(
            id: user.id, tenantID: user.tenantID, email: user.identifier(.email)?.text,
            username: user.identifier(.username)?.text, phone: user.identifier(.phone)?.text, name: user.name,
            membership: user.membership, createdAt: Date())
    }

    struct Checked {
        var identifiers: [Identifier]
        var name: String?
    }

    /// Every field, so that one answer names all that is wrong.
    /// - Parameter methods: what one signs in by in the tenant: one such name is needed, and others may come along.
    static func check(
        _ form: RegistrationForm, policy: PasswordPolicy, methods: [String] = IdentifierKind.allCases.map(\.rawValue)
    ) throws(IdentityError) -> Checked {
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
        _ = try collect { () throws(IdentityError) in
            try policy.choose(
                form.password, declared: form.transmission, tenantID: form.tenantID, field: "password"
            ).presented
        }
        let name = try collect { () throws(IdentityError) in try form.name.flatMap(PersonName.accept) }
        let given = [("email", form.email), ("username", form.username), ("phone", form.phone)].filter { $0.1 != nil }
        if !given.contains(where: { methods.contains($0.0) }), let first = methods.first {
            let others = methods.dropFirst().map { "or \($0) " }.joined()
            let why = given.isEmpty ? "" : " to sign in here"
            violations.append(Violation(field: first, message: "\(others)is needed\(why)"))
        }
        guard violations.isEmpty else { throw .invalid(violations) }
        return Checked(identifiers: [email, username, phone].compactMap { $0 }, name: name)
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
