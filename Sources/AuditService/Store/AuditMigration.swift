package import ConnectionKit
package import Logging
import MicroMiddleware
package import Postgres

/// Migrates the audit database as the role that owns it, and then lets the role that the service works as insert and
/// read, and nothing more: whoever takes over the service cannot switch off what protects the trail.
package struct AuditMigration: Sendable {
    /// The bytes of "grant" as a number.
    private static let lockKey: Int64 = 0x67_7261_6E74

    private let owner: PostgresConfiguration
    private let serviceRole: String
    private let directory: String
    private let logger: Logger

    /// - Parameters:
    ///   - owner: the database for its owner.
    ///   - serviceRole: the role that the service works as; nothing is granted where it is the owner itself.
    ///   - directory: `migrations/audit`.
    package init(owner: PostgresConfiguration, serviceRole: String, directory: String, logger: Logger) {
        self.owner = owner
        self.serviceRole = serviceRole
        self.directory = directory
        self.logger = logger
    }

    /// Over connections of its own, which are closed afterwards.
    ///
    /// - Throws: `MigrationError`, `PostgresError`.
    @discardableResult
    package func run(
        deadline: Deadline, progress: @escaping @Sendable (MigrationProgress) -> Void = { _ in }
    ) async throws -> MigrationReport {
        let client = PostgresClient(configuration: owner, logger: logger)
        do {
            let report = try await PostgresMigrator(client).migrate(
                try MigrationSet(directory: directory), deadline: deadline, progress: progress)
            if owner.user != serviceRole {
                // One replica at a time: two grants at once would disturb each other.
                try await client.withTransaction(deadline: deadline) { connection in
                    try await connection.query("SELECT pg_advisory_xact_lock(\(Self.lockKey))")
                    try await connection.query("SELECT audit_grant_service(\(serviceRole)::name)")
                }
            }
            await client.close()
            return report
        } catch {
            await client.close()
            throw error
        }
    }
}

extension DatabaseMigration {
    /// As `database.migration_url` says, or else as the service's own role.
    static func audit(
        settings: ServiceSettings, service: PostgresConfiguration, logger: Logger
    ) throws -> DatabaseMigration? {
        guard try settings.value(.databaseMigrate) else { return nil }
        var owner = service
        if let url = try settings.valueIfPresent(.databaseMigrationURL) { owner = try PostgresConfiguration(url: url) }
        // One to migrate, one to see what the first waits for.
        owner.poolSize = 2
        owner.applicationName = "authms-audit-migration"
        let migration = AuditMigration(
            owner: owner, serviceRole: service.user, directory: try settings.value(.migrationsDirectory) + "/audit",
            logger: logger)
        return DatabaseMigration(logger: logger) { deadline in
            let report = try await migration.run(deadline: deadline, progress: tellOfWaits(logger))
            if !report.applied.isEmpty { logger.notice("migrated: \(report.applied.joined(separator: ", "))") }
        }
    }
}
