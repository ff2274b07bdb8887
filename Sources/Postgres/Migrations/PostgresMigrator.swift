package import ConnectionKit

/// What a migrator is doing, for a progress display.
package enum MigrationProgress: Sendable, Equatable {
    case applying(String)
    case applied(String)
}

/// What `PostgresMigrator.migrate` found and did; labels like `0001_outbox`.
package struct MigrationReport: Sendable, Equatable {
    /// Applied now, in order.
    package var applied: [String] = []
    /// Applied before.
    package var present: [String] = []
    /// Applied by a newer program than this one. That is no error: migrations only add, so that the version before still
    /// works on the schema, and a rolled-back deployment must start.
    package var newer: [String] = []
}

/// Brings a database's schema to where a set of migrations ends.
///
/// Each migration runs in a transaction of its own together with its row in `schema_migrations`. An advisory lock keeps
/// other migrators of the same database out meanwhile; it ends with the connection, however that ends.
package struct PostgresMigrator: Sendable {
    /// "authms" in ASCII: the key of the advisory lock.
    private static let lockKey: Int64 = 0x61_75_74_68_6d_73

    private let client: PostgresClient

    package init(_ client: PostgresClient) {
        self.client = client
    }

    /// Applies what is missing, in order. A database that differs from the set is refused before anything is applied.
    @discardableResult
    package func migrate(
        _ set: MigrationSet, deadline: Deadline, progress: @Sendable (MigrationProgress) -> Void = { _ in }
    ) async throws(MigrationError) -> MigrationReport {
        do {
            return try await client.withConnection(deadline: deadline) { connection in
                try await connection.query("SELECT pg_advisory_lock(\(Self.lockKey))")
                let outcome: Result<MigrationReport, any Error>
                do {
                    outcome = .success(try await apply(set, on: connection, progress: progress))
                } catch {
                    outcome = .failure(error)
                }
                _ = try? await connection.query("SELECT pg_advisory_unlock(\(Self.lockKey))")
                return try outcome.get()
            }
        } catch let error as MigrationError {
            throw error
        } catch let error as PostgresError {
            throw .database(error)
        } catch {
            throw .unreadable("the database's state: \(error)")
        }
    }

    private func apply(
        _ set: MigrationSet, on connection: PostgresConnection, progress: (MigrationProgress) -> Void
    ) async throws -> MigrationReport {
        let plan = try set.plan(after: try await history(on: connection))
        var report = MigrationReport(present: plan.present, newer: plan.newer)
        for migration in plan.pending {
            progress(.applying(migration.label))
            try await apply(migration, on: connection)
            progress(.applied(migration.label))
            report.applied.append(migration.label)
        }
        return report
    }

    private func history(on connection: PostgresConnection) async throws -> [AppliedMigration] {
        // Asked first, since CREATE TABLE IF NOT EXISTS needs the right to create even when it has nothing to do.
        let exists = try await connection.query("SELECT to_regclass('schema_migrations') IS NOT NULL AS found")
        guard try exists.first?.decode(Bool.self, "found") == true else {
            try await connection.query(
                """
                CREATE TABLE schema_migrations (
                    version bigint PRIMARY KEY,
                    name text NOT NULL,
                    checksum text NOT NULL,
                    applied_at timestamptz NOT NULL DEFAULT now()
                )
                """)
            return []
        }
        return try await connection.query("SELECT version, name, checksum FROM schema_migrations ORDER BY version")
            .decode()
    }

    private func apply(_ migration: Migration, on connection: PostgresConnection) async throws {
        do {
            try await connection.begin()
            try await connection.execute(script: migration.sql)
            guard await connection.isInTransaction else { throw MigrationError.endedTransaction(migration.label) }
            try await connection.query(
                """
                INSERT INTO schema_migrations (version, name, checksum)
                VALUES (\(migration.version), \(migration.name), \(migration.checksum))
                """)
            try await connection.commit()
        } catch {
            await connection.rollback()
            guard let error = error as? PostgresError else { throw error }
            throw MigrationError.failed(
                migration.label, reason: error.detail.isEmpty ? "\(error)" : error.detail, error)
        }
    }
}

/// A row of `schema_migrations`.
package struct AppliedMigration: PostgresRowDecodable, Sendable, Equatable {
    package let version: Int
    package let name: String
    package let checksum: String

    package init(version: Int, name: String, checksum: String) {
        self.version = version
        self.name = name
        self.checksum = checksum
    }

    package init(row: PostgresRow) throws {
        version = try row.decode("version")
        name = try row.decode("name")
        checksum = try row.decode("checksum")
    }
}
