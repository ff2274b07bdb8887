package import ConnectionKit
package import Contracts
package import Foundation
import MicroMiddleware
import Postgres

extension PostgresIdentityRepository: RememberedDeviceRepository {
    package func remember(_ device: RememberedDevice, event: DomainEvent, deadline: Deadline) async throws {
        let sql: SQL =
            """
            WITH forgotten AS (
                DELETE FROM remembered_devices WHERE id IN (
                    SELECT id FROM remembered_devices WHERE user_id = \(device.userID)
                    ORDER BY created_at DESC, id DESC OFFSET \(RememberedDevice.maximumCount - 1))
            ), remembered AS (
                INSERT INTO remembered_devices (id, user_id, tenant_id, user_agent, created_at, expires_at)
                VALUES (\(device.id), \(device.userID), \(device.tenantID), \(device.userAgent), \(device.createdAt),
                    \(device.expiresAt))
                RETURNING 1
            )
            \(SQL.outboxInsert(event, from: "remembered"))
            """
        try await database.query(sql, deadline: deadline)
        wakeRelay(.soon)
    }

    package func use(
        device id: UUID, of userID: UUID, tenantID: UUID, now: Date, deadline: Deadline
    ) async throws -> Bool {
        try await database.query(
            """
            UPDATE remembered_devices SET last_used_at = \(now)
            WHERE id = \(id) AND user_id = \(userID) AND tenant_id = \(tenantID) AND expires_at > \(now) RETURNING 1
            """, deadline: deadline
        ).isEmpty == false
    }

    package func devices(
        of userID: UUID, tenantID: UUID, now: Date, deadline: Deadline
    ) async throws -> [RememberedDevice] {
        try await database.query(
            """
            SELECT id, user_id, tenant_id, user_agent, created_at, expires_at, last_used_at FROM remembered_devices
            WHERE user_id = \(userID) AND tenant_id = \(tenantID) AND expires_at > \(now)
            ORDER BY created_at DESC, id DESC
            """, deadline: deadline
        ).map { row in
            RememberedDevice(
                id: try row.decode(UUID.self, "id"), userID: try row.decode(UUID.self, "user_id"),
                tenantID: try row.decode(UUID.self, "tenant_id"),
                userAgent: try row.decode(String?.self, "user_agent"),
                createdAt: try row.decode(Date.self, "created_at"),
                expiresAt: try row.decode(Date.self, "expires_at"),
                lastUsedAt: try row.decode(Date?.self, "last_used_at"))
        }
    }

    package func forget(
        device id: UUID?, of userID: UUID, tenantID: UUID, event: DomainEvent, deadline: Deadline
    ) async throws -> Int {
        let sql: SQL =
            """
            WITH forgotten AS (
                DELETE FROM remembered_devices
                WHERE user_id = \(userID) AND tenant_id = \(tenantID) AND id = coalesce(\(id), id) RETURNING 1
            ), counted AS (SELECT count(*) AS count FROM forgotten),
            seen AS (SELECT 1 FROM counted WHERE count > 0),
            recorded AS (\(SQL.outboxInsert(event, from: "seen")))
            SELECT count FROM counted
            """
        let count = try await database.query(sql, deadline: deadline).first?.decode(Int.self, "count") ?? 0
        wakeRelay(.soon)
        return count
    }
}
