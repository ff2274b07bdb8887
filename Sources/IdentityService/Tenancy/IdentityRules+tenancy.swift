import Hummingbird
import Logging
import MicroMiddleware
import Postgres

/// The rules about tenants, members and roles over one store.
struct TenancyRules {
    let users: UserAdministration
    let creation: UserCreation
    let roles: RoleAdministration
    let tenants: TenantAdministration
    let invitations: Invitations
    let switching: TenantSwitch
    let check: PermissionCheck
    let operators: OperatorAdmission

    init(
        database: PostgresClient, wakeRelay: @escaping @Sendable (Outbox.Urgency) -> Void,
        repository: any IdentityRepository, accounts: CachedAccounts, hasher: any PasswordHashing,
        choice: PasswordChoice, oneTime: OneTimePassword, invitationCodes: InvitationCodes,
        sessions: any SessionOpening, notices: SessionNotices,
        tokens: any AccessTokenMinting, logger: Logger
    ) {
        let stored = PostgresRoleRepository(database: database, wakeRelay: wakeRelay)
        let memberships = PostgresMembershipRepository(database: database, wakeRelay: wakeRelay)
        let cache = RoleCache { try await stored.roles(tenantID: $0, deadline: $1) }
        users = UserAdministration(
            repository: repository, accounts: accounts,
            directory: PostgresUserDirectory(database: database, wakeRelay: wakeRelay),
            memberships: memberships, roles: stored, hasher: hasher, oneTime: oneTime, notices: notices)
        creation = UserCreation(
            repository: repository, roles: stored, hasher: hasher, choice: choice, oneTime: oneTime)
        roles = RoleAdministration(roles: stored, cache: cache, accounts: accounts, notices: notices)
        let storedTenants = PostgresTenantRepository(database: database, wakeRelay: wakeRelay)
        tenants = TenantAdministration(tenants: storedTenants, notices: notices)
        operators = OperatorAdmission(repository: repository, tenants: storedTenants, tokens: tokens)
        invitations = Invitations(
            invitations: PostgresInvitationRepository(database: database, wakeRelay: wakeRelay),
            memberships: memberships, roles: stored, codes: invitationCodes)
        switching = TenantSwitch(
            repository: repository, memberships: memberships, sessions: sessions, tokens: tokens, notices: notices,
            logger: logger)
        check = PermissionCheck(cache: cache)
    }

    /// Adds the routes to a group at `api/v1`.
    func addRoutes(to api: some RouterMethods<BaseRequestContext>, security: ServiceSecurity) {
        MyTenantsController(switching: switching, invitations: invitations, check: check).addRoutes(
            to: api.authenticated(verify: security.verifyToken),
            evenWithPasswordChangeDue: api.authenticated(allowsPasswordChangeDue: true, verify: security.verifyToken))
        let admin = api.authenticated("admin", verify: security.verifyToken)
        AdminController(users: users, creation: creation).addRoutes(to: admin)
        RoleController(roles: roles, users: users).addRoutes(to: admin)
        TenantController(tenants: tenants, invitations: invitations).addRoutes(to: admin)
        operators.addRoutes(to: api.internalOnly("internal", verify: security.verifyCaller))
    }
}
