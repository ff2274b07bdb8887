package import ConnectionKit
package import Logging
package import Postgres
internal import ServiceLifecycle
internal import Synchronization

/// Migrates a service's database when the service starts; when the database is down at that moment, as soon as it is
/// back, while the service already runs.
///
/// A refusal (a migration that was changed or is out of order) ends the service with one sentence.
package final class DatabaseMigration: Service, Sendable {
    /// How long one attempt may take. A migration that needs longer belongs into `authms migrate`.
    static let attemptTimeout = Duration.seconds(60)

    /// Whether the service is of no use before it is done.
    package let importance: HealthRegistry.Importance
    private let migrate: @Sendable (Deadline) async throws -> Void
    private let logger: Logger
    private let isComplete = Atomic<Bool>(false)
    private let firstAttempt: AsyncStream<Never>
    private let firstAttemptEnded: AsyncStream<Never>.Continuation

    /// - Parameter migrate: Throws an error for which ``isUnavailable(_:)`` holds to be called again later.
    package init(
        importance: HealthRegistry.Importance = .required, logger: Logger,
        migrate: @escaping @Sendable (Deadline) async throws -> Void
    ) {
        self.importance = importance
        self.logger = logger
        self.migrate = migrate
        (firstAttempt, firstAttemptEnded) = AsyncStream.makeStream()
    }

    /// Applies the files of `directory`, `migrations/identity` for example.
    package convenience init(
        _ database: PostgresClient, directory: String, importance: HealthRegistry.Importance = .required,
        logger: Logger
    ) {
        self.init(importance: importance, logger: logger) { deadline in
            let report = try await PostgresMigrator(database).migrate(
                try MigrationSet(directory: directory), deadline: deadline, progress: Self.tellOfWaits(logger))
            if !report.applied.isEmpty {
                logger.notice("migrated: \(report.applied.joined(separator: ", "))")
            }
        }
    }

    /// For a migrator's progress: warns of a migration that waits for somebody's lock.
    package static func tellOfWaits(_ logger: Logger) -> @Sendable (MigrationProgress) -> Void {
        { progress in
            guard case .waiting(let label, let wait) = progress else { return }
            logger.warning("a migration waits for a lock", metadata: ["migration": "\(label)", "lock": "\(wait)"])
        }
    }

    /// Migrates, however often it takes, then waits for the shutdown.
    package func run() async throws {
        defer { firstAttemptEnded.finish() }
        var pause = Duration.milliseconds(250)
        while !isComplete.load(ordering: .acquiring), !Task.isShuttingDownGracefully {
            do {
                try await migrate(.after(Self.attemptTimeout))
                isComplete.store(true, ordering: .releasing)
            } catch  where Self.isUnavailable(error) {
                logger.warning("the database cannot be migrated yet", metadata: ["error": "\(error)"])
                firstAttemptEnded.finish()
                await cancelWhenGracefulShutdown { [pause] in try? await Task.sleep(for: pause) }
                pause = min(pause * 2, .seconds(2))
            }
        }
        firstAttemptEnded.finish()
        try? await gracefulShutdown()
    }

    /// Returns when the first attempt has ended, whether it succeeded or not, and at the latest after `limit`.
    package func waitForFirstAttempt(atMost limit: Duration) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { [firstAttempt] in for await _ in firstAttempt {} }
            group.addTask { try? await Task.sleep(for: limit) }
            await group.next()
            group.cancelAll()
        }
    }

    /// - Throws: ``MigrationPending`` until the database is migrated.
    package func requireComplete() throws {
        guard isComplete.load(ordering: .acquiring) else { throw MigrationPending() }
    }

    /// Whether trying again later may help.
    static func isUnavailable(_ error: any Error) -> Bool {
        switch error {
        case let error as MigrationError: error.isUnavailable
        case let error as PostgresError: error.isUnavailable
        default: false
        }
    }
}

/// The database has not been migrated yet.
package struct MigrationPending: Error, CustomStringConvertible {
    package var description: String { "the database has not been migrated yet" }
}
