package import ConnectionKit
import Contracts
import Foundation
package import Logging
package import MicroMiddleware
package import Postgres
import ServiceLifecycle

/// Makes the trail forget deleted users, as far as it can: first each chain that has records of theirs is told, by an event; when
/// its record is there, the payloads go, by a function of the database's owner, since the service may change nothing.
package struct PayloadEraser: Service {
    /// Payloads that one statement erases.
    package static let batch = 1_000

    private let database: PostgresClient
    private let outbox: Outbox
    private let interval: Duration
    private let logger: Logger

    /// - Parameter interval: how long to wait where there is nothing to do.
    package init(
        _ database: PostgresClient, outbox: Outbox, interval: Duration = .seconds(5), logger: Logger
    ) {
        self.database = database
        self.outbox = outbox
        self.interval = interval
        self.logger = logger
    }

    package func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                do {
                    while try await tell(deadline: .after(.seconds(30))) {}
                    while try await erase(deadline: .after(.seconds(30))) == Self.batch {}
                } catch {
                    logger.info("payloads of deleted users could not be erased yet", metadata: ["error": "\(error)"])
                }
                try? await Task.sleep(for: interval)
            }
        }
    }

    /// Writes the events about the next deleted user: one for each tenant that has records of theirs, and for their own in any
    /// case, since that is what the account's deletion waits for.
    ///
    /// - Returns: whether there was one.
    package func tell(deadline: Deadline) async throws -> Bool {
        let found = try await database.withTransaction(deadline: deadline) { connection in
            let next = try await connection.query(
                """
                SELECT user_id, tenant_id FROM erased_users WHERE NOT is_told
                ORDER BY erased_at LIMIT 1 FOR UPDATE SKIP LOCKED
                """
            ).first
            guard let next else { return false }
            let (user, home) = (try next.decode(UUID.self, "user_id"), try next.decode(UUID.self, "tenant_id"))
            // Tenant by tenant, as the indexes are.
            let others: [UUID] = try await connection.query(
                """
                SELECT c.tenant_id FROM audit_chains c CROSS JOIN LATERAL (
                    (SELECT 1 FROM audit_records r WHERE r.tenant_id = c.tenant_id AND r.operator_id = \(user.text) LIMIT 1)
                    UNION ALL
                    (SELECT 1 FROM audit_records r WHERE r.tenant_id = c.tenant_id AND r.target_id = \(user.text) LIMIT 1)
                    LIMIT 1
                ) known WHERE c.tenant_id <> \(home)
                """
            ).column("tenant_id")
            let events = try ([home] + others).map { tenant in
                try DomainEvent(
                    type: .payloadsErased, subject: user.text, tenantID: tenant,
                    data: EventDetail(actorType: "service", status: .success))
            }
            try await outbox.append(events, on: connection)
            try await connection.query("UPDATE erased_users SET is_told = true WHERE user_id = \(user)")
            return true
        }
        if found { outbox.wake() }
        return found
    }

    /// - Returns: how many payloads went; there are more where it is ``batch``.
    @discardableResult
    package func erase(deadline: Deadline) async throws -> Int {
        let count = try await database.query(
            "SELECT audit_erase_payloads(\(Self.batch)::integer)::integer AS count", deadline: deadline
        ).first?.decode(Int.self, "count")
        return count ?? 0
    }
}
