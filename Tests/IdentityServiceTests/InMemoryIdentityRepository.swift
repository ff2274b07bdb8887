import ConnectionKit
import Contracts
import Foundation
import IdentityService

/// The users of a test that needs no database. The same suite runs on it and on PostgreSQL.
actor InMemoryIdentityRepository: IdentityRepository, SecondFactorRepository, RememberedDeviceRepository,
    UnansweredRefreshStore
{
    var tenants: [UUID: Tenant] = [
        DefaultTenant.id: Tenant(
            id: DefaultTenant.id, slug: DefaultTenant.slug, name: "default", displayName: "Default")
    ]
    var accounts: [UUID: Account] = [:]
    /// Of every tenant's own roles.
    var customRoles: [CustomRole] = []
    var codes: [Data: Invitation] = [:]
    var guests: [Membership] = []
    private var keys: [IdentifierKind: [String: UUID]] = [:]
    var events: [DomainEvent] = []
    /// What kind of event cannot be appended.
    var unwritable: EventType?
    /// By the change that replaced them, where an administrator made it.
    var replacedEmails: [UUID: String] = [:]
    let now: Date
    private var secondFactors: [UUID: SecondFactorState] = [:]
    private var lastReport: Int64 = 0
    private var policies: [UUID: MFAPolicy] = [:]
    private var remembered: [UUID: RememberedDevice] = [:]

    init(now: Date = Date()) {
        self.now = now
    }

    func tenant(_ id: UUID, deadline: Deadline) -> Tenant? { tenants[id] }

    func lookUp(_ identifier: Identifier, tenantID: UUID, deadline: Deadline) -> SignInLookup {
        guard tenants[tenantID] != nil else { return .tenantUnknown }
        guard let id = keys[identifier.kind]?[identifier.key], let account = accounts[id],
            let complete = self.account(id, tenantID: account.user.tenantID, deadline: deadline)
        else { return .userUnknown }
        return .found(complete)
    }

    func account(_ userID: UUID, tenantID: UUID, deadline: Deadline) -> Account? {
        guard var account = accounts[userID], account.user.status != .deleted else { return nil }
        if account.user.tenantID != tenantID {
            let guest = guests.first { $0.userID == userID && $0.tenantID == tenantID }
            guard let guest, let tenant = tenants[tenantID] else { return nil }
            let home = account.user
            account.tenant = tenant
            account.user = User(
                id: home.id, tenantID: tenantID, homeTenantID: home.tenantID, email: home.email,
                username: home.username, phone: home.phone, name: home.name, status: home.status,
                membership: guest.status, roles: guest.roles, createdAt: home.createdAt)
        }
        let own = customRoles.filter { $0.tenantID == tenantID && account.user.roles.contains($0.name) }
        let permissions = Set(own.flatMap(\.permissions)).sorted()
        account.user.permissions = PermissionText.ofSuite(permissions)
        account.user.applications = PermissionText.ofApplications(permissions)
        return complete(account)
    }

    private func complete(_ account: Account) -> Account {
        var account = account
        account.tenant = tenants[account.user.tenantID] ?? account.tenant
        account.secondFactors = secondFactors[account.user.id]?.methods.map(\.rawValue) ?? []
        account.mfaPolicy = policies[account.user.tenantID] ?? MFAPolicy()
        return account
    }

    func insert(_ user: NewUser, event: DomainEvent, deadline: Deadline) throws -> User {
        guard let tenant = tenants[user.tenantID] else { throw IdentityError.tenantUnknown }
        var roles = Set(user.roles)
        if let code = user.invitation {
            let email = user.identifier(.email)?.key
            guard let invitation = usable(code), invitation.tenantID == user.tenantID,
                invitation.emailKey == nil || invitation.emailKey == email,
                roles.union(invitation.roles).count <= Membership.maximumRoles
            else { throw IdentityError.invitationInvalid }
            roles.formUnion(invitation.roles)
        }
        for identifier in user.identifiers where keys[identifier.kind]?[identifier.key] != nil {
            throw IdentityError.alreadyRegistered(identifier.kind)
        }
        if let code = user.invitation { codes[code.hash]?.usedAt = now }
        for identifier in user.identifiers { keys[identifier.kind, default: [:]][identifier.key] = user.id }
        let stored = User(
            id: user.id, tenantID: user.tenantID, email: user.identifier(.email)?.text,
            username: user.identifier(.username)?.text, phone: user.identifier(.phone)?.text, name: user.name,
            membership: user.membership, roles: roles.sorted(), createdAt: now)
        accounts[user.id] = Account(
            user: stored, passwordHash: user.passwordHash, mustChangePassword: user.mustChangePassword,
            passwordChangedAt: now, passwordExpiresAt: user.passwordExpiresAt, tenant: tenant)
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
        account.passwordExpiresAt = nil
        let time = now
        account.passwordChangedAt = time
        accounts[userID] = account
        events.append(event.stored(at: time))
        return time
    }

    func update(
        _ userID: UUID, tenantID: UUID, name: FieldChange<String>, username: Identifier?, event: DomainEvent,
        deadline: Deadline
    ) throws -> User? {
        guard var account = account(userID, tenantID: tenantID, deadline: deadline) else { return nil }
        if let username {
            if let owner = keys[.username]?[username.key], owner != userID {
                throw IdentityError.alreadyRegistered(.username)
            }
            keys[.username, default: [:]][username.key] = userID
            account.user.username = username.text
        }
        if name != .keep { account.user.name = name.value }
        accounts[userID] = account
        events.append(event)
        return account.user
    }

    @discardableResult
    func setStatus(
        _ status: User.Status, of userID: UUID, tenantID: UUID, event: DomainEvent, deadline: Deadline
    ) throws -> Stored<User>? {
        guard var account = account(userID, tenantID: tenantID, deadline: deadline), account.user.status != status
        else { return nil }
        if status != .active { try requireOwner(otherThan: userID, in: tenantID) }
        account.user.status = status
        accounts[userID] = account
        events.append(event)
        return Stored(account.user, events: [event])
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

    /// For the store of codes, too.
    func verifyEmail(of userID: UUID, event: DomainEvent) {
        accounts[userID]?.user.emailVerifiedAt = now
        events.append(event)
    }

    /// For the store of codes, too.
    func record(_ event: DomainEvent) { events.append(event) }

    func append(_ event: DomainEvent, deadline: Deadline) throws {
        if event.type == unwritable { throw FakeSessions.Away() }
        events.append(event)
    }

    // MARK: - Unanswered refreshes

    private var unanswered: [NotedRefresh] = []

    func note(_ refresh: UnansweredRefresh, until expiry: Date, event: DomainEvent?, deadline: Deadline) -> [Date] {
        let earlier = unanswered.map(\.refresh).filter {
            $0.sessionID == refresh.sessionID && $0.generation == refresh.generation
        }
        unanswered.append(NotedRefresh(id: (unanswered.last?.id ?? 0) + 1, refresh: refresh))
        if let event { events.append(event) }
        return earlier.map(\.askedAt)
    }

    func unansweredRefreshes(limit: Int, deadline: Deadline) -> [NotedRefresh] { Array(unanswered.prefix(limit)) }

    func unansweredBacklog(deadline: Deadline) -> UnansweredBacklog {
        UnansweredBacklog(count: unanswered.count, oldest: unanswered.first?.refresh.askedAt)
    }

    func settle(_ ids: [Int64], deadline: Deadline) { unanswered.removeAll { ids.contains($0.id) } }

    // MARK: - Second factors

    func hear(_ report: SecondFactorReport, deadline: Deadline) -> SecondFactorReceipt {
        var receipt = SecondFactorReceipt(applied: 0, last: lastReport)
        lastReport = max(lastReport, report.number ?? 0)
        for state in report.users where accounts[state.userID]?.user.tenantID == state.tenantID {
            guard secondFactors[state.userID].map({ $0.version < state.version }) ?? true else { continue }
            secondFactors[state.userID] = state
            if state.methods.isEmpty { remembered = remembered.filter { $0.value.userID != state.userID } }
            receipt.applied += 1
        }
        return receipt
    }

    func mfaPolicy(of tenantID: UUID, deadline: Deadline) -> MFAPolicy { policies[tenantID] ?? MFAPolicy() }

    func setMFAPolicy(_ policy: MFAPolicy, of tenantID: UUID, event: DomainEvent, deadline: Deadline) {
        policies[tenantID] = policy
        events.append(event)
    }

    func replaceHash(of userID: UUID, tenantID: UUID, seenHash: String, newHash: String, deadline: Deadline) {
        if accounts[userID]?.passwordHash == seenHash { accounts[userID]?.passwordHash = newHash }
    }

    func remember(_ device: RememberedDevice, event: DomainEvent, deadline: Deadline) {
        let others = remembered.values.filter { $0.userID == device.userID }.sorted { $0.createdAt > $1.createdAt }
        for other in others.dropFirst(RememberedDevice.maximumCount - 1) { remembered[other.id] = nil }
        remembered[device.id] = device
        events.append(event)
    }

    func use(device id: UUID, of userID: UUID, tenantID: UUID, now: Date, deadline: Deadline) -> Bool {
        guard let device = remembered[id], device.userID == userID, device.tenantID == tenantID,
            device.expiresAt > now
        else { return false }
        remembered[id]?.lastUsedAt = now
        return true
    }

    func devices(of userID: UUID, tenantID: UUID, now: Date, deadline: Deadline) -> [RememberedDevice] {
        remembered.values.filter { $0.userID == userID && $0.tenantID == tenantID && $0.expiresAt > now }
            .sorted { $0.createdAt > $1.createdAt }
    }

    func forget(device id: UUID?, of userID: UUID, tenantID: UUID, event: DomainEvent, deadline: Deadline) -> Int {
        let gone = remembered.values.filter {
            $0.userID == userID && $0.tenantID == tenantID && (id == nil || $0.id == id)
        }
        for device in gone { remembered[device.id] = nil }
        if !gone.isEmpty { events.append(event) }
        return gone.count
    }
}
