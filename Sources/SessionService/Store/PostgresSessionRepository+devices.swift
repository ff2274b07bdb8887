package import ConnectionKit
package import Contracts
package import Foundation
import MicroMiddleware
import Postgres

extension PostgresSessionRepository: TrustedDeviceRepository {
    package func add(_ device: TrustedDevice, event: DomainEvent, deadline: Deadline) async throws {
        // The new row is not visible to the part that counts, hence one fewer.
        try await database.query(
            """
            WITH added AS (
                INSERT INTO trusted_devices (id, tenant_id, user_id, session_id, name, token_hash, user_agent, ip,
                    created_at, expires_at)
                VALUES (\(device.id), \(device.tenantID), \(device.userID), \(device.sessionID), \(device.name),
                    \(Data(device.tokenHash)), \(device.userAgent), \(device.ip), \(device.createdAt), \(device.expiresAt))
                RETURNING id
            ), surplus AS (
                DELETE FROM trusted_devices WHERE id IN (
                    SELECT id FROM trusted_devices
                    WHERE tenant_id = \(device.tenantID) AND user_id = \(device.userID)
                    ORDER BY created_at DESC, id DESC OFFSET \(TrustedDevice.maximumPerUser - 1))
            )
            \(SQL.outboxInsert(event, from: "added"))
            """, actingFor: device.tenantID, deadline: deadline)
        wakeRelay(.soon)
    }

    package func devices(
        of userID: UUID, tenantID: UUID, now: Date, deadline: Deadline
    ) async throws -> [TrustedDevice] {
        try await database.query(
            """
            SELECT id, tenant_id, user_id, session_id, name, token_hash, user_agent, ip, created_at, last_used_at,
                expires_at
            FROM trusted_devices WHERE tenant_id = \(tenantID) AND user_id = \(userID) AND expires_at > \(now)
            ORDER BY created_at DESC, id DESC LIMIT \(TrustedDevice.maximumPerUser)
            """, actingFor: tenantID, deadline: deadline
        ).map(TrustedDevice.init(row:))
    }

    package func use(
        _ tokenHash: [UInt8], of userID: UUID, tenantID: UUID, now: Date, deadline: Deadline
    ) async throws -> Bool {
        try await !database.query(
            """
            UPDATE trusted_devices SET last_used_at = \(now)
            WHERE token_hash = \(Data(tokenHash)) AND tenant_id = \(tenantID) AND user_id = \(userID) AND expires_at > \(now)
            RETURNING id
            """, actingFor: tenantID, deadline: deadline
        ).isEmpty
    }

    package func forget(
        _ id: UUID?, of userID: UUID, tenantID: UUID, because cause: SessionCause?, event: DomainEvent,
        deadline: Deadline
    ) async throws -> Int {
        let gone = try await database.query(
            """
            WITH gone AS (
                DELETE FROM trusted_devices
                WHERE tenant_id = \(tenantID) AND user_id = \(userID) AND id = coalesce(\(id), id)
                    AND created_at <= coalesce((
                        SELECT applied_at + make_interval(secs => \(SessionCause.patience)) FROM applied_events
                        WHERE event_id = \(cause?.eventID) AND tenant_id = \(tenantID)), 'infinity')
                RETURNING id
            ), counted AS (
                SELECT count(*) AS count FROM gone HAVING count(*) > 0
            ), recorded AS (\(SQL.outboxInsert(event, from: "counted")))
            SELECT count FROM counted
            """, actingFor: tenantID, deadline: deadline
        ).first?.decode(Int.self, "count")
        wakeRelay(.soon)
        return gone ?? 0
    }
}

extension TrustedDevice {
    fileprivate init(row: PostgresRow) throws {
        self.init(
            id: try row.decode(UUID.self, "id"), tenantID: try row.decode(UUID.self, "tenant_id"),
            userID: try row.decode(UUID.self, "user_id"), sessionID: try row.decode(UUID.self, "session_id"),
            name: try row.decode(String.self, "name"), tokenHash: Array(try row.decode(Data.self, "token_hash")),
            userAgent: try row.decode(String?.self, "user_agent"), ip: try row.decode(String?.self, "ip"),
            createdAt: try row.decode(Date.self, "created_at"),
            lastUsedAt: try row.decode(Date?.self, "last_used_at"),
            expiresAt: try row.decode(Date.self, "expires_at"))
    }
}
