package import ConnectionKit
package import Contracts
package import Foundation
package import MicroMiddleware
package import Postgres

/// The identity database.
package struct PostgresIdentityRepository: IdentityRepository {
    private let database: PostgresClient
    /// Told after a commit that the outbox holds something.
    private let wakeRelay: @Sendable (Outbox.Urgency) -> Void

    package init(database: PostgresClient, wakeRelay: @escaping @Sendable (Outbox.Urgency) -> Void = { _ in }) {
        self.database = database
        self.wakeRelay = wakeRelay
    }

    // MARK: - Reading

    package func tenant(_ id: UUID, deadline: Deadline) async throws -> Tenant? {
        let sql: SQL = "SELECT \(Self.tenantColumns) FROM tenants t WHERE t.id = \(id)"
        return try await database.query(sql, deadline: deadline).first.map(Tenant.init(row:))
    }

    package func lookUp(_ identifier: Identifier, tenantID: UUID, deadline: Deadline) async throws -> SignInLookup {
        let sql: SQL =
            """
            SELECT \(Self.tenantColumns), u.id IS NOT NULL AS is_found, \(Self.userColumns), p.hash, p.must_change, p.changed_at
            FROM tenants t
            LEFT JOIN (users u JOIN passwords p ON p.user_id = u.id)
                ON u.tenant_id = t.id AND u.\(Self.keyColumn(identifier.kind)) = \(identifier.key)
                AND u.status <> 'deleted'
            WHERE t.id = \(tenantID)
            """
        guard let row = try await database.query(sql, deadline: deadline).first else { return .tenantUnknown }
        guard try row.decode(Bool.self, "is_found") else { return .userUnknown }
        return .found(try Account(row: row))
    }

    package func account(_ userID: UUID, tenantID: UUID, deadline: Deadline) async throws -> Account? {
        let sql: SQL =
            """
            SELECT \(Self.tenantColumns), \(Self.userColumns), p.hash, p.must_change, p.changed_at
            FROM users u JOIN tenants t ON t.id = u.tenant_id JOIN passwords p ON p.user_id = u.id
            WHERE u.id = \(userID) AND u.tenant_id = \(tenantID) AND u.status <> 'deleted'
            """
        return try await database.query(sql, deadline: deadline).first.map(Account.init(row:))
    }

    package func users(
        tenantID: UUID, offset: Int, limit: Int, deadline: Deadline
    ) async throws -> (users: [User], total: Int) {
        let count: SQL = "SELECT count(*) AS total FROM users WHERE tenant_id = \(tenantID) AND status <> 'deleted'"
        let page: SQL =
            """
            SELECT \(Self.userColumns) FROM users u WHERE u.tenant_id = \(tenantID) AND u.status <> 'deleted'
            ORDER BY u.created_at DESC, u.id DESC LIMIT \(limit) OFFSET \(offset)
            """
        return try await database.withConnection(deadline: deadline) { connection in
            let total = try await connection.query(count).first?.decode(Int.self, "total") ?? 0
            return (try await connection.query(page).map(User.init(row:)), total)
        }
    }

    // MARK: - Writing: the change and its event, in one statement

    package func insert(_ user: NewUser, event: DomainEvent, deadline: Deadline) async throws -> User {
        let result = try await naming { try await database.query(Self.insertion(user, event), deadline: deadline) }
        guard let row = result.first else { throw IdentityError.tenantUnknown }
        wakeRelay(.soon)
        return try User(row: row)
    }

    package func insertFirstOwner(_ user: NewUser, event: DomainEvent, deadline: Deadline) async throws -> User? {
        let created: User? = try await naming {
            try await database.withTransaction(deadline: deadline) { connection in
                // Two that both find no owner would both create one.
                try await connection.query("SELECT pg_advisory_xact_lock(hashtext('authms.first_owner'))")
                let owners = try await connection.query(
                    "SELECT 1 FROM user_roles WHERE tenant_id = \(user.tenantID) AND role = 'owner' LIMIT 1")
                guard owners.isEmpty else { return nil }
                guard let row = try await connection.query(Self.insertion(user, event)).first else {
                    throw IdentityError.tenantUnknown
                }
                return try User(row: row)
            }
        }
        wakeRelay(.soon)
        return created
    }

    package func recordSignIn(
        _ userID: UUID, tenantID: UUID, seenHash: String, rehashed: String?, event: DomainEvent, deadline: Deadline
    ) async throws -> Date? {
        let rehash: SQL =
            rehashed.map { "UPDATE passwords SET hash = \($0) FROM seen WHERE passwords.user_id = seen.user_id" }
            ?? "SELECT 1"
        // FOR SHARE: a password change waits for this login, or this login for it, and then sees its hash.
        let lock: SQL = rehashed == nil ? "FOR SHARE OF p" : "FOR UPDATE OF p"
        let sql: SQL =
            """
            WITH seen AS (
                SELECT p.user_id FROM passwords p
                WHERE p.user_id = \(userID) AND p.tenant_id = \(tenantID) AND p.hash = \(seenHash) \(lock)
            ), signed_in AS (
                UPDATE users u SET last_login_at = clock_timestamp() FROM seen
                WHERE u.id = seen.user_id AND u.tenant_id = \(tenantID) AND u.status = 'active'
                RETURNING u.last_login_at
            ), rehashed AS (\(rehash)), recorded AS (
                \(SQL.outboxInsert(event, from: "signed_in", at: "last_login_at"))
            )
            SELECT last_login_at FROM signed_in
            """
        let row = try await database.query(sql, deadline: deadline).first
        wakeRelay(.soon)
        return try row?.decode(Date.self, "last_login_at")
    }

    package func changePassword(
        _ userID: UUID, tenantID: UUID, seenHash: String, newHash: String, event: DomainEvent, deadline: Deadline
    ) async throws -> Date? {
        let sql: SQL =
            """
            WITH changed AS (
                UPDATE passwords SET hash = \(newHash), must_change = false, changed_at = clock_timestamp()
                WHERE user_id = \(userID) AND tenant_id = \(tenantID) AND hash = \(seenHash)
                RETURNING changed_at
            ), recorded AS (\(SQL.outboxInsert(event, from: "changed", at: "changed_at")))
            SELECT changed_at FROM changed
            """
        let row = try await database.query(sql, deadline: deadline).first
        wakeRelay(.now)
        return try row?.decode(Date.self, "changed_at")
    }

    package func update(
        _ userID: UUID, tenantID: UUID, name: String?, username: Identifier?, event: DomainEvent, deadline: Deadline
    ) async throws -> User? {
        let sql: SQL =
            """
            WITH u AS (
                UPDATE users SET name = coalesce(\(name), name), username = coalesce(\(username?.text), username),
                    username_key = coalesce(\(username?.key), username_key), updated_at = clock_timestamp()
                WHERE id = \(userID) AND tenant_id = \(tenantID) AND status <> 'deleted' RETURNING *
            ), recorded AS (\(SQL.outboxInsert(event, from: "u")))
            SELECT \(Self.userColumns) FROM u
            """
        let row = try await naming { try await database.query(sql, deadline: deadline) }.first
        wakeRelay(.soon)
        return try row.map(User.init(row:))
    }

    package func setStatus(
        _ status: User.Status, of userID: UUID, tenantID: UUID, event: DomainEvent, deadline: Deadline
    ) async throws -> User? {
        let sql: SQL =
            """
            WITH u AS (
                UPDATE users SET status = \(status.rawValue), updated_at = clock_timestamp()
                WHERE id = \(userID) AND tenant_id = \(tenantID) AND status NOT IN ('deleted', \(status.rawValue))
                RETURNING *
            ), recorded AS (\(SQL.outboxInsert(event, from: "u")))
            SELECT \(Self.userColumns) FROM u
            """
        let row = try await database.query(sql, deadline: deadline).first
        wakeRelay(.now)
        return try row.map(User.init(row:))
    }

    package func append(_ event: DomainEvent, deadline: Deadline) async throws {
        try await database.query(SQL.outboxInsert(event, from: "(SELECT) AS always"), deadline: deadline)
        wakeRelay(.soon)
    }
}

// MARK: - Fragments

extension PostgresIdentityRepository {
    private static let tenantColumns: SQL =
        """
        t.id AS t_id, t.slug, t.name AS t_name, t.display_name, t.status AS t_status, t.membership_approval,
        t.login_methods, t.password_transmission, t.password_min_length, t.password_max_length, t.password_history,
        t.password_max_age_days, t.password_refuse_common, t.registration_discloses, t.requires_verified_email
        """

    private static let userColumns: SQL =
        """
        u.id, u.tenant_id, u.email, u.username, u.phone, u.name, u.status, u.email_verified_at, u.phone_verified_at,
        u.created_at, u.last_login_at,
        ARRAY(SELECT r.role FROM user_roles r WHERE r.user_id = u.id AND r.tenant_id = u.tenant_id ORDER BY 1) AS roles
        """

    private static func keyColumn(_ kind: IdentifierKind) -> SQL {
        switch kind {
        case .email: "email_key"
        case .username: "username_key"
        case .phone: "phone_key"
        }
    }

    /// Inserts nothing, and returns no row, when the tenant is unknown or suspended.
    private static func insertion(_ user: NewUser, _ event: DomainEvent) -> SQL {
        let (email, username, phone) = (user.identifier(.email), user.identifier(.username), user.identifier(.phone))
        return """
            WITH u AS (
                INSERT INTO users (id, tenant_id, email, email_key, username, username_key, phone, phone_key, name)
                SELECT \(user.id), t.id, \(email?.text)::text, \(email?.key)::text, \(username?.text)::text,
                    \(username?.key)::text, \(phone?.text)::text, \(phone?.key)::text, \(user.name)::text
                FROM tenants t WHERE t.id = \(user.tenantID) AND t.status = 'active'
                RETURNING *
            ), password AS (
                INSERT INTO passwords (user_id, tenant_id, hash, must_change)
                SELECT u.id, u.tenant_id, \(user.passwordHash)::text, \(user.mustChangePassword) FROM u
            ), roles AS (
                INSERT INTO user_roles (user_id, tenant_id, role)
                SELECT u.id, u.tenant_id, unnest(\(user.roles)) FROM u
            ), recorded AS (\(SQL.outboxInsert(event, from: "u", at: "created_at")))
            SELECT u.id, u.tenant_id, u.email, u.username, u.phone, u.name, u.status, u.email_verified_at,
                u.phone_verified_at, u.created_at, u.last_login_at, \(user.roles) AS roles
            FROM u
            """
    }

    /// Turns a violated unique constraint into the identifier that it is about.
    private func naming<Value>(_ body: () async throws -> Value) async throws -> Value {
        do {
            return try await body()
        } catch let error as PostgresError where error.isUniqueViolation {
            switch error.constraint {
            case "users_email_taken": throw IdentityError.alreadyRegistered(.email)
            case "users_username_taken": throw IdentityError.alreadyRegistered(.username)
            case "users_phone_taken": throw IdentityError.alreadyRegistered(.phone)
            default: throw error
            }
        }
    }
}

// MARK: - Rows

extension Tenant {
    fileprivate init(row: PostgresRow) throws {
        self.init(
            id: try row.decode(UUID.self, "t_id"), slug: try row.decode(String.self, "slug"),
            name: try row.decode(String.self, "t_name"), displayName: try row.decode(String.self, "display_name"),
            status: Tenant.Status(rawValue: try row.decode(String.self, "t_status")) ?? .suspended,
            membershipApproval: try row.decode(Bool.self, "membership_approval"),
            loginMethods: try row.decode([String].self, "login_methods"),
            passwordPolicy: PasswordPolicy(
                minimumLength: Int(try row.decode(Int32.self, "password_min_length")),
                maximumLength: Int(try row.decode(Int32.self, "password_max_length")),
                transmission: try row.decode(String.self, "password_transmission"),
                historyDepth: Int(try row.decode(Int32.self, "password_history")),
                maximumAgeDays: Int(try row.decode(Int32.self, "password_max_age_days")),
                refusesCommon: try row.decode(Bool.self, "password_refuse_common")),
            registrationDiscloses: try row.decode(Bool.self, "registration_discloses"),
            requiresVerifiedEmail: try row.decode(Bool.self, "requires_verified_email"))
    }
}

extension User {
    fileprivate init(row: PostgresRow) throws {
        self.init(
            id: try row.decode(UUID.self, "id"), tenantID: try row.decode(UUID.self, "tenant_id"),
            email: try row.decode(String?.self, "email"), username: try row.decode(String?.self, "username"),
            phone: try row.decode(String?.self, "phone"), name: try row.decode(String?.self, "name"),
            status: User.Status(rawValue: try row.decode(String.self, "status")) ?? .disabled,
            roles: try row.decode([String].self, "roles"),
            emailVerifiedAt: try row.decode(Date?.self, "email_verified_at"),
            phoneVerifiedAt: try row.decode(Date?.self, "phone_verified_at"),
            createdAt: try row.decode(Date.self, "created_at"),
            lastLoginAt: try row.decode(Date?.self, "last_login_at"))
    }
}

extension Account {
    fileprivate init(row: PostgresRow) throws {
        let (tenant, changedAt) = (try Tenant(row: row), try row.decode(Date.self, "changed_at"))
        let isExpired = tenant.passwordPolicy.isExpired(changedAt: changedAt, now: Date())
        self.init(
            user: try User(row: row), passwordHash: try row.decode(String.self, "hash"),
            mustChangePassword: try row.decode(Bool.self, "must_change") || isExpired, passwordChangedAt: changedAt,
            tenant: tenant)
    }
}
