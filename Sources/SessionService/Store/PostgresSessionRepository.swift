package import ConnectionKit
import Contracts
package import Foundation
package import MicroMiddleware
package import Postgres

/// The session database.
///
/// What is asked of one tenant's sessions and devices acts for that tenant, so that the database itself keeps the others' out
/// (migration 0010_row_security). Opening and refreshing do not: see there.
package struct PostgresSessionRepository: SessionRepository {
    let database: PostgresClient
    /// Told after a commit that the outbox holds something.
    let wakeRelay: @Sendable (Outbox.Urgency) -> Void

    package init(database: PostgresClient, wakeRelay: @escaping @Sendable (Outbox.Urgency) -> Void = { _ in }) {
        self.database = database
        self.wakeRelay = wakeRelay
    }

    /// For all tenants: it is identity that asks, and not a tenant's user, and the devices that are looked at and noted are the
    /// account's, whatever tenant it is used in.
    package func insert(
        _ session: Session, limit: SessionLimit?, isKnownDevice: Bool, actor: SessionActor, deadline: Deadline
    ) async throws -> OpenedSession {
        let insertion = try Self.insertion(session, isKnownDevice: isKnownDevice, actor: actor)
        if let limit {
            return try await insert(session, insertion, within: limit, actor: actor, deadline: deadline)
        }
        let row = try await database.query(insertion, deadline: deadline).first
        wakeRelay(.soon)
        guard let row else { return OpenedSession(try await present(session, deadline: deadline)) }
        return OpenedSession(session, isOnNewDevice: try row.decode(Bool.self, "is_on_new_device"))
    }

    /// What is there under the id of a session that could not be inserted.
    func present(_ session: Session, deadline: Deadline) async throws -> Session {
        guard let present = try await self.session(session.id, tenantID: session.tenantID, deadline: deadline),
            present.userID == session.userID
        else { throw SessionError.sessionTaken }
        return present
    }

    /// Inserts a session and its event, notes its device, and leaves word where that is news; returns no row where the id is
    /// taken.
    private static func insertion(_ session: Session, isKnownDevice: Bool, actor: SessionActor) throws -> SQL {
        let event = try actor.event(
            session.origin == .adopted ? .sessionAdopted : .sessionCreated, session: session, at: session.createdAt)
        let snapshot = String(decoding: try StrictJSON.encode(session.user), as: UTF8.self)
        return
            """
            WITH s AS (
                INSERT INTO sessions (id, tenant_id, user_id, generation, rotated_at, idle_expires_at,
                    absolute_expires_at, auth_time, amr, must_change_password, user_snapshot, device, user_agent, ip,
                    origin, created_at, last_ip, idle_timeout_s)
                VALUES (\(session.id), \(session.tenantID), \(session.userID), \(session.generation),
                    \(session.rotatedAt), \(session.idleExpiresAt), \(session.absoluteExpiresAt),
                    \(session.authenticatedAt), \(session.methods), \(session.mustChangePassword), \(snapshot)::jsonb,
                    \(session.device), \(session.userAgent), \(session.ip), \(session.origin.rawValue),
                    \(session.createdAt), \(session.lastIP), \(session.idleTimeout?.components.seconds))
                ON CONFLICT (id) DO NOTHING RETURNING id
            ), recorded AS (\(SQL.outboxInsert(event, from: "s", at: "now()"))
            ), \(try sighting(session, isKnownDevice: isKnownDevice, actor: actor))
            SELECT id, EXISTS (SELECT FROM news) AS is_on_new_device FROM s
            """
    }

    /// Of the session that `s` has inserted. The first device of a user is no news. A row that is inserted has no xmax, one
    /// that was there has; and it is written anew only once a day.
    private static func sighting(_ session: Session, isKnownDevice: Bool, actor: SessionActor) throws -> SQL {
        """
        device AS (
            INSERT INTO seen_devices AS d (user_id, device, seen_at)
            SELECT \(session.userID)::uuid, \(Data(SeenDevice(session).fingerprint))::bytea,
                \(session.createdAt)::timestamptz FROM s
            ON CONFLICT (user_id, device) DO UPDATE SET seen_at = excluded.seen_at
                WHERE d.seen_at < excluded.seen_at - interval '1 day'
            RETURNING d.xmax = 0 AS is_new
        ), news AS (
            SELECT FROM device WHERE is_new AND NOT \(isKnownDevice)::boolean
                AND EXISTS (SELECT FROM seen_devices b WHERE b.user_id = \(session.userID)::uuid)
        ), told AS (\(SQL.outboxInsert(try actor.newDeviceEvent(session), from: "news", at: "now()")))
        """
    }

    package func session(_ id: UUID, tenantID: UUID, deadline: Deadline) async throws -> Session? {
        let sql: SQL = "SELECT \(Self.columns) FROM sessions s WHERE s.id = \(id) AND s.tenant_id = \(tenantID)"
        return try await database.query(sql, actingFor: tenantID, deadline: deadline).first.map(Session.init(row:))
    }

    /// Which tenant it is of is what is asked: so for all of them.
    package func owner(of id: UUID, deadline: Deadline) async throws -> SessionOwner? {
        let row = try await database.query(
            "SELECT tenant_id, user_id FROM sessions WHERE id = \(id)", deadline: deadline
        ).first
        return try row.map {
            SessionOwner(
                tenantID: try $0.decode(UUID.self, "tenant_id"), userID: try $0.decode(UUID.self, "user_id"))
        }
    }

    package func sessions(of userID: UUID, tenantID: UUID, now: Date, deadline: Deadline) async throws -> [Session] {
        try await database.query(
            Self.sessions(of: userID, tenantID: tenantID, now: now), actingFor: tenantID, deadline: deadline
        ).map(Session.init(row:))
    }

    /// The statement of a user's list.
    package static func sessions(of userID: UUID, tenantID: UUID, now: Date) -> SQL {
        """
        SELECT \(columns) FROM sessions s
        WHERE s.tenant_id = \(tenantID) AND s.user_id = \(userID) AND s.revoked_at IS NULL
            AND s.idle_expires_at > \(now)
        ORDER BY s.rotated_at DESC, s.id DESC LIMIT \(Session.mostListed)
        """
    }

    package func updateSnapshots(
        of userID: UUID, tenantID: UUID, change: SnapshotChange, deadline: Deadline
    ) async throws {
        try await database.query(
            """
            UPDATE sessions SET
                user_snapshot = CASE WHEN \(change.clearsName) THEN user_snapshot - 'name' ELSE user_snapshot END
                    || jsonb_strip_nulls(jsonb_build_object(
                    'name', \(change.name)::text, 'username', \(change.username)::text)),
                must_change_password = coalesce(\(change.mustChangePassword), must_change_password)
            WHERE tenant_id = \(tenantID) AND user_id = \(userID) AND revoked_at IS NULL
                AND auth_time <= coalesce(\(change.authenticatedUntil), auth_time)
            """, actingFor: tenantID, deadline: deadline)
    }
}

// MARK: - Rows

extension PostgresSessionRepository {
    static let columns: SQL =
        """
        s.id, s.tenant_id, s.user_id, s.generation, s.rotated_at, s.idle_expires_at, s.absolute_expires_at,
        s.auth_time, s.amr, s.must_change_password, s.user_snapshot, s.device, s.user_agent, s.ip, s.origin,
        s.created_at, s.revoked_at, s.revoked_reason, s.last_ip, s.idle_timeout_s, s.exchanged_edition,
        s.roles_changed_at, s.tokens_refused_at
        """
}

extension Session {
    init(row: PostgresRow) throws {
        let snapshot = try row.decode(String.self, "user_snapshot")
        self.init(
            id: try row.decode(UUID.self, "id"),
            user: try StrictJSON.decode(UserSnapshot.self, from: Array(snapshot.utf8)),
            methods: try row.decode([String].self, "amr"),
            authenticatedAt: try row.decode(Date.self, "auth_time"),
            mustChangePassword: try row.decode(Bool.self, "must_change_password"),
            device: try row.decode(String.self, "device"), userAgent: try row.decode(String?.self, "user_agent"),
            ip: try row.decode(String?.self, "ip"),
            origin: Origin(rawValue: try row.decode(String.self, "origin")) ?? .login,
            lastIP: try row.decode(String?.self, "last_ip"),
            idleTimeout: try row.decode(Int64?.self, "idle_timeout_s").map { .seconds($0) },
            generation: try row.decode(Int64.self, "generation"),
            rotatedAt: try row.decode(Date.self, "rotated_at"),
            idleExpiresAt: try row.decode(Date.self, "idle_expires_at"),
            absoluteExpiresAt: try row.decode(Date.self, "absolute_expires_at"),
            createdAt: try row.decode(Date.self, "created_at"), end: try End(row: row))
        exchangedEdition = try row.decode(Int64.self, "exchanged_edition")
        rolesChangedAt = try row.decode(Date?.self, "roles_changed_at")
        tokensRefusedAt = try row.decode(Date?.self, "tokens_refused_at")
    }
}

extension Session.End {
    fileprivate init?(row: PostgresRow) throws {
        guard let at = try row.decode(Date?.self, "revoked_at") else { return nil }
        let reason = try row.decode(String?.self, "revoked_reason") ?? ""
        self.init(at: at, reason: RevocationReason(rawValue: reason) ?? .administrator)
    }
}
