internal import ConnectionKit
internal import Contracts
package import Foundation
internal import Logging
package import Postgres
package import RabbitMQ
internal import ServiceLifecycle

/// Erases what a service holds about users who are deleted, and says so in an event.
///
/// The user is entered into `erased_users` in the same transaction. Something that was under way meanwhile, such as a
/// session opened for a login just before, may still come in afterwards: so those erased in the last hour are erased again
/// every ten seconds.
package struct PersonalDataEraser: Service {
    private let data: PersonalData
    private let database: PostgresClient
    private let outbox: Outbox
    private let consumer: EventConsumer
    private let around: Around

    /// Runs the erasure of a user, and sees to what else remembers that user, such as a cache.
    package typealias Around =
        @Sendable (_ user: UUID, _ erase: @Sendable () async throws -> Void) async throws -> Void
    private let logger: Logger

    package init(
        _ data: PersonalData, database: PostgresClient, outbox: Outbox, broker: RabbitMQConfiguration,
        retries: RetrySchedule, telemetry: Telemetry,
        around: @escaping Around = { _, erase in try await erase() }
    ) {
        self.data = data
        self.database = database
        self.outbox = outbox
        self.around = around
        logger = telemetry.logger
        consumer = EventConsumer(
            queue: EventTopology.erasureQueue(of: data.source), configuration: broker,
            limits: ConsumerLimits(prefetch: 100, batchSize: 20),
            retries: retries, metrics: telemetry.metrics, logger: telemetry.logger
        ) { [data, database, outbox] events in
            for event in events {
                guard event.event.type == .userDeleted, let user = UUID(uuidString: event.event.subject) else {
                    continue
                }
                try await around(user) {
                    try await Self.erase(user, event.event.tenantID, data, database, outbox)
                }
            }
        }
    }

    package func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await consumer.run() }
            group.addTask { _ = await cancelWhenGracefulShutdown { await sweep() } }
            try await group.waitForAll()
        }
    }

    /// Each event may come twice; the second time there is nothing left, and nothing is said.
    private static func erase(
        _ user: UUID, _ tenant: UUID, _ data: PersonalData, _ database: PostgresClient, _ outbox: Outbox
    ) async throws {
        let erased = try DomainEvent(
            type: PersonalData.erased(data.source), subject: user.text, tenantID: tenant,
            data: EventDetail(actorType: "service", status: .success))
        try await database.withTransaction(deadline: .after(.seconds(10))) { connection in
            let first = try await connection.query(
                """
                INSERT INTO erased_users (user_id, tenant_id) VALUES (\(user), \(tenant))
                ON CONFLICT DO NOTHING RETURNING user_id
                """)
            for statement in data.erasure(user) { try await connection.query(statement) }
            if !first.isEmpty { try await outbox.append(erased, on: connection) }
        }
        outbox.wake(.now)
    }

    private func sweep() async {
        while !Task.isCancelled {
            try? await Task.sleep(for: .seconds(10))
            do {
                try await sweepOnce()
            } catch {
                logger.debug("late data of erased users could not be looked for", metadata: ["error": "\(error)"])
            }
        }
    }

    private func sweepOnce() async throws {
        try await database.withConnection(deadline: .after(.seconds(10))) { connection in
            let recent = try await connection.query(
                """
                SELECT user_id FROM erased_users WHERE erased_at > now() - interval '1 hour'
                ORDER BY erased_at DESC LIMIT 1000
                """)
            for row in recent {
                let user = try row.decode(UUID.self, "user_id")
                for statement in data.erasure(user) { try await connection.query(statement) }
            }
        }
    }
}
