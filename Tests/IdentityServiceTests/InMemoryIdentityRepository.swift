import ConnectionKit
import Contracts
import Foundation
import IdentityService

/// The users of a test that needs no database. The same suite runs on it and on PostgreSQL.
actor InMemoryIdentityRepository: IdentityRepository {
    private var tenants: [UUID: Tenant] = [
        DefaultTenant.id: Tenant(
            id: DefaultTenant.id, slug: DefaultTenant.slug, name: "default", displayName: "Default")
    ]
    private var accounts: [UUID: Account] = [:]
    private var keys: [IdentifierKind: [String: UUID]] = [:]
    private(set) var events: [DomainEvent] = []
    private let now: Date

    init(now: Date = Date()) {
        self.now = now
    }

    func tenant(_ id: UUID, deadline: Deadline) -> Tenant? { tenants[id] }

    func lookUp(_ identifier: Identifier, tenantID: UUID, deadline: Deadline) -> SignInLookup {
        guard tenants[tenantID] != nil else { return .tenantUnknown }
        guard let id = keys[identifier.kind]?[identifier.key], let account = accounts[id],
            account.user.status != .deleted
        else { return .userUnknown }
        return .found(account)
    }

    func account(_ userID: UUID, tenantID: UUID, deadline: Deadline) -> Account? {
        accounts[userID].flatMap { $0.user.tenantID == tenantID && $0.user.status != .deleted ? $0 : nil }
    }

    func insert(_ user: NewUser, event: DomainEvent, deadline: Deadline) throws -> User {
        guard let tenant = tenants[user.tenantID] else { throw IdentityError.tenantUnknown }
        for identifier in user.identifiers where keys[identifier.kind]?[identifier.key] != nil {
            throw IdentityError.alreadyRegistered(identifier.kind)
        }
        for identifier in user.identifiers { keys[identifier.kind, default: [:]][identifier.key] = user.id }
        let stored = User(
            id: user.id, tenantID: user.tenantID, email: user.identifier(.email)?.text,
            username: user.identifier(.username)?.text, phone: user.identifier(.phone)?.text, name: user.name,
            roles: user.roles, createdAt: now)
        accounts[user.id] = Account(
            user: stored, passwordHash: user.passwordHash, mustChangePassword: user.mustChangePassword,
            passwordChangedAt: now, tenant: tenant)
        events.append(event)
        return stored
    }

    func insertFirstOwner(_ user: NewUser, event: DomainEvent, deadline: Deadline) throws -> User? {
        let hasOwner = accounts.values.contains {
            $0.user.tenantID == user.tenantID && $0.user.roles.contains(BuiltInRole.owner.rawValue)
        }
        return hasOwner ? nil : try insert(user, event: event, deadline: deadline)
    }

    func recordSignIn(
        _ userID: UUID, tenantID: UUID, seenHash: String, rehashed: String?, event: DomainEvent, deadline: Deadline
    ) -> Date? {
        guard var account = account(userID, tenantID: tenantID, deadline: deadline),
            account.passwordHash == seenHash, account.user.status == .active
        else { return nil }
        account.user.lastLoginAt = now
        if let rehashed { account.passwordHash = rehashed }
        accounts[userID] = account
        events.append(event)
        return now
    }

    func changePassword(
        _ userID: UUID, tenantID: UUID, seenHash: String, newHash: String, event: DomainEvent, deadline: Deadline
    ) -> Date? {
        guard var account = account(userID, tenantID: tenantID, deadline: deadline), account.passwordHash == seenHash
        else { return nil }
        account.passwordHash = newHash
        account.mustChangePassword = false
        account.passwordChangedAt = now
        accounts[userID] = account
        events.append(event)
        return now
    }

    func update(
        _ userID: UUID, tenantID: UUID, name: String?, username: Identifier?, event: DomainEvent, deadline: Deadline
    ) throws -> User? {
        guard var account = account(userID, tenantID: tenantID, deadline: deadline) else { return nil }
        if let username {
            if let owner = keys[.username]?[username.key], owner != userID {
                throw IdentityError.alreadyRegistered(.username)
            }
            keys[.username, default: [:]][username.key] = userID
            account.user.username = username.text
        }
        if let name { account.user.name = name }
        accounts[userID] = account
        events.append(event)
        return account.user
    }

    func setStatus(
        _ status: User.Status, of userID: UUID, tenantID: UUID, event: DomainEvent, deadline: Deadline
    ) -> User? {
        guard var account = account(userID, tenantID: tenantID, deadline: deadline), account.user.status != status
        else { return nil }
        account.user.status = status
        accounts[userID] = account
        events.append(event)
        return account.user
    }

    func users(tenantID: UUID, offset: Int, limit: Int, deadline: Deadline) -> (users: [User], total: Int) {
        let all = accounts.values.map(\.user).filter { $0.tenantID == tenantID && $0.status != .deleted }
            .sorted { $0.createdAt > $1.createdAt }
        return (Array(all.dropFirst(offset).prefix(limit)), all.count)
    }

    /// For the store of codes: the new address, and the one before.
    func changeEmail(of userID: UUID, tenantID: UUID, to email: Identifier, event: DomainEvent) throws -> String? {
        guard var account = accounts[userID], account.user.tenantID == tenantID else { return nil }
        if let owner = keys[.email]?[email.key], owner != userID { throw IdentityError.alreadyRegistered(.email) }
        let old = account.user.email
        if let old { keys[.email]?[Identifier.guess(old).key] = nil }
        keys[.email, default: [:]][email.key] = userID
        account.user.email = email.text
        account.user.emailVerifiedAt = now
        accounts[userID] = account
        events.append(event)
        return old
    }

    func append(_ event: DomainEvent, deadline: Deadline) { events.append(event) }
}
