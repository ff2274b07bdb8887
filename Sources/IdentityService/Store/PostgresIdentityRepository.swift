package import ConnectionKit
package import Contracts
package import Foundation
package import MicroMiddleware
package import Postgres

/// The identity database.
package struct PostgresIdentityRepository: IdentityRepository {
    let database: PostgresClient
    /// Told after a commit that the outbox holds something.
    let wakeRelay: @Sendable (Outbox.Urgency) -> Void

    package init(database: PostgresClient, wakeRelay: @escaping @Sendable (Outbox.Urgency) -> Void = { _ in }) {
        self.database = database
        self.wakeRelay = wakeRelay
    }

    // MARK: - Reading

    package func tenant(_ id: UUID, deadline: Deadline) async throws -> Tenant? {
        let sql: SQL = "SELECT \(IdentityRows.tenantColumns) FROM tenants t WHERE t.id = \(id)"
        return try await database.query(sql, deadline: deadline).first.map(Tenant.init(row:))
    }

    package func lookUp(_ identifier: Identifier, tenantID: UUID, deadline: Deadline) async throws -> SignInLookup {
        let sql = Self.lookUp(identifier, tenantID: tenantID)
        guard let row = try await database.query(sql, deadline: deadline).first else { return .tenantUnknown }
        guard try row.decode(Bool.self, "is_found") else { return .userUnknown }
        return .found(try Account(row: row))
    }

    /// The statement of a login.
    package static func lookUp(_ identifier: Identifier, tenantID: UUID) -> SQL {
        """
        SELECT \(IdentityRows.tenantColumns), u.id IS NOT NULL AS is_found, \(IdentityRows.userColumns), p.hash,
            p.must_change, p.changed_at, p.expires_at, \(secondFactorColumns)
        FROM tenants t LEFT JOIN mfa_policies f ON f.tenant_id = t.id
        LEFT JOIN (users u JOIN passwords p ON p.user_id = u.id
                JOIN memberships m ON m.user_id = u.id AND m.tenant_id = u.tenant_id)
            ON u.tenant_id = t.id AND u.\(keyColumn(identifier.kind)) = \(identifier.key)
            AND u.status <> 'deleted'
        WHERE t.id = \(tenantID)
        """
    }

    package func account(_ userID: UUID, tenantID: UUID, deadline: Deadline) async throws -> Account? {
        try await database.query(Self.account(userID, tenantID: tenantID), deadline: deadline).first
            .map(Account.init(row:))
    }

    /// The statement that reads an account.
    package static func account(_ userID: UUID, tenantID: UUID) -> SQL {
        """
        SELECT \(IdentityRows.tenantColumns), \(IdentityRows.userColumns), p.hash, p.must_change, p.changed_at,
            p.expires_at, \(secondFactorColumns)
        FROM memberships m JOIN users u ON u.id = m.user_id JOIN tenants t ON t.id = m.tenant_id
            JOIN passwords p ON p.user_id = u.id
        LEFT JOIN mfa_policies f ON f.tenant_id = t.id
        WHERE m.user_id = \(userID) AND m.tenant_id = \(tenantID) AND u.status <> 'deleted'
        """
    }

    package func holdsMore(_ userID: UUID, besides tenantID: UUID, deadline: Deadline) async throws -> Bool {
        // Of all tenants, so it acts for none.
        let sql: SQL =
            """
            SELECT EXISTS (
                SELECT FROM user_roles WHERE user_id = \(userID) AND tenant_id <> \(tenantID)
                    AND role <> \(BuiltInRole.member.rawValue)
            ) AS holds_more
            """
        return try await database.query(sql, deadline: deadline).first?.decode(Bool.self, "holds_more") ?? false
    }

    // MARK: - Writing: the change and its event, in one statement

    package func insert(_ user: NewUser, event: DomainEvent, deadline: Deadline) async throws -> User {
        let result = try await naming { try await database.query(Self.insertion(user, event), deadline: deadline) }
        guard let row = result.first else {
            throw user.invitation == nil ? IdentityError.tenantUnknown : IdentityError.invitationInvalid
        }
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
                UPDATE passwords SET hash = \(newHash), must_change = false, expires_at = NULL,
                    changed_at = clock_timestamp()
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
        _ userID: UUID, tenantID: UUID, name: FieldChange<String>, username: Identifier?, event: DomainEvent,
        deadline: Deadline
    ) async throws -> User? {
        let sql: SQL =
            """
            WITH u AS (
                UPDATE users SET name = \(name.sql(of: "name")), username = coalesce(\(username?.text), username),
                    username_key = coalesce(\(username?.key), username_key), updated_at = clock_timestamp()
                WHERE id = \(userID) AND status <> 'deleted'
                    AND EXISTS (SELECT FROM memberships m WHERE m.user_id = \(userID) AND m.tenant_id = \(tenantID))
                RETURNING *
            ), recorded AS (\(SQL.outboxInsert(event, from: "u")))
            SELECT \(IdentityRows.userColumns)
            FROM u JOIN memberships m ON m.user_id = u.id AND m.tenant_id = \(tenantID)
            """
        let row = try await naming { try await database.query(sql, deadline: deadline) }.first
        wakeRelay(.soon)
        return try row.map(User.init(row:))
    }

    package func append(_ event: DomainEvent, deadline: Deadline) async throws {
        try await database.query(SQL.outboxInsert(event, from: "(SELECT) AS always"), deadline: deadline)
        wakeRelay(.soon)
    }
}

// MARK: - Fragments

extension PostgresIdentityRepository {
    private static func keyColumn(_ kind: IdentifierKind) -> SQL {
        switch kind {
        case .email: "email_key"
        case .username: "username_key"
        case .phone: "phone_key"
        }
    }

    /// Inserts nothing, and returns no row, when the tenant is unknown or suspended.
    static func insertion(_ user: NewUser, _ event: DomainEvent) -> SQL {
        let (email, username, phone) = (user.identifier(.email), user.identifier(.username), user.identifier(.phone))
        let invitation: SQL =
            user.invitation.map { code in
                """
                UPDATE invitations SET used_at = clock_timestamp(), used_by = \(user.id)
                WHERE tenant_id = \(user.tenantID) AND code_hash = \(code.hash) AND used_at IS NULL
                    AND revoked_at IS NULL AND expires_at > clock_timestamp()
                    AND cardinality(ARRAY(SELECT unnest(roles) UNION SELECT unnest(\(user.roles)::text[])))
                        <= \(Membership.maximumRoles)
                    AND (email_key IS NULL OR email_key = \(email?.key)::text)
                    AND EXISTS (SELECT FROM tenants t WHERE t.id = \(user.tenantID) AND t.status = 'active')
                RETURNING roles
                """
            } ?? "SELECT '{}'::text[] AS roles"
        return """
            WITH i AS (\(invitation)), u AS (
                INSERT INTO users (id, tenant_id, email, email_key, username, username_key, phone, phone_key, name)
                SELECT \(user.id), t.id, \(email?.text)::text, \(email?.key)::text, \(username?.text)::text,
                    \(username?.key)::text, \(phone?.text)::text, \(phone?.key)::text, \(user.name)::text
                FROM tenants t, i WHERE t.id = \(user.tenantID) AND t.status = 'active'
                RETURNING *
            ), m AS (
                INSERT INTO memberships (user_id, tenant_id, status, created_at)
                SELECT u.id, u.tenant_id, \(user.membership.rawValue)::text, u.created_at FROM u
                RETURNING user_id, tenant_id, status
            ), password AS (
                INSERT INTO passwords (user_id, tenant_id, hash, must_change, expires_at)
                SELECT u.id, u.tenant_id, \(user.passwordHash)::text, \(user.mustChangePassword),
                    \(user.passwordExpiresAt)::timestamptz FROM u
            ), granted AS (
                SELECT unnest(\(user.roles)) AS role UNION SELECT unnest(i.roles) FROM i
            ), held AS (
                INSERT INTO user_roles (user_id, tenant_id, role) SELECT u.id, u.tenant_id, g.role FROM u, granted g
            ), recorded AS (\(SQL.outboxInsert(event, from: "u", at: "created_at")))
            SELECT u.id, u.tenant_id, u.tenant_id AS home_tenant_id, m.status AS membership, u.email, u.username, u.phone,
                u.name, u.status, u.email_verified_at, u.phone_verified_at, u.created_at, u.last_login_at,
                ARRAY(SELECT role FROM granted ORDER BY 1) AS roles,
                \(IdentityRows.permissions(in: "u.tenant_id", ofRoles: "SELECT role FROM granted")) AS permissions
            FROM u, m
            """
    }

    /// Turns a violated unique constraint into the identifier that it is about.
    private func naming<Value>(_ body: () async throws -> Value) async throws -> Value {
        try await IdentityRows.naming(body)
    }
}
