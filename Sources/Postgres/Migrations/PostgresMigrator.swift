package import ConnectionKit

/// What a migrator is doing, for a progress display.
package enum MigrationProgress: Sendable, Equatable {
    case applying(String)
    case applied(String)
    /// It waits for a lock that somebody else holds.
    case waiting(String, LockWait)
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
/// Each migration runs in a transaction of its own together with its row in `schema_migrations`, unless its first line is
/// ``Migration/noTransactionDirective``. It gives up on a lock that it does not get soon, and is tried again a few times:
/// ``LockPatience``. An advisory lock keeps other migrators of the same database out meanwhile; it ends with the
/// connection, however that ends.
package struct PostgresMigrator: Sendable {
    /// "authms" in ASCII: the key of the advisory lock.
    private static let lockKey: Int64 = 0x61_75_74_68_6d_73

    /// Between two attempts to get the advisory lock.
    private static let turnPause = Duration.milliseconds(100)

    private let client: PostgresClient
    private let patience: LockPatience

    /// - Parameter client: of at least two connections, if a wait for a lock is to be told of in detail.
    package init(_ client: PostgresClient, patience: LockPatience = .standard) {
        self.client = client
        self.patience = patience
    }

    /// Applies what is missing, in order. A database that differs from the set is refused before anything is applied.
    @discardableResult
    package func migrate(
        _ set: MigrationSet, deadline: Deadline, progress: @escaping @Sendable (MigrationProgress) -> Void = { _ in }
    ) async throws(MigrationError) -> MigrationReport {
        do {
            return try await client.withConnection(deadline: deadline) { connection in
                try await takeTurn(on: connection)
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

    /// Asks again and again instead of waiting in the server: whoever builds an index concurrently waits for every statement
    /// that runs, and would wait for one that waits for its turn.
    private func takeTurn(on connection: PostgresConnection) async throws {
        while true {
            let isOurs = try await connection.query("SELECT pg_try_advisory_lock(\(Self.lockKey)) AS is_ours")
            if try isOurs.first?.decode(Bool.self, "is_ours") == true { return }
            try await pause(Self.turnPause)
        }
    }

    private func pause(_ duration: Duration) async throws(PostgresError) {
        do {
            try await Task.sleep(for: duration)
        } catch {
            throw PostgresError(.cancelled)
        }
    }

    private func apply(
        _ set: MigrationSet, on connection: PostgresConnection,
        progress: @escaping @Sendable (MigrationProgress) -> Void
    ) async throws -> MigrationReport {
        for migration in set.migrations where !migration.runsInTransaction { _ = try migration.alone() }
        let plan = try set.plan(after: try await history(on: connection))
        var report = MigrationReport(present: plan.present, newer: plan.newer)
        for migration in plan.pending {
            progress(.applying(migration.label))
            try await apply(migration, on: connection, progress: progress)
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

    /// Applies one, as often as it finds a lock taken and may be tried again.
    private func apply(
        _ migration: Migration, on connection: PostgresConnection,
        progress: @escaping @Sendable (MigrationProgress) -> Void
    ) async throws {
        let own = try await connection.query("SELECT pg_backend_pid() AS pid")
        let watch = LockWatch(
            client: client, processID: try own.first?.decode("pid") ?? 0, interval: patience.timeout / 4
        ) {
            progress(.waiting(migration.label, $0))
        }
        var attempt = 1
        while true {
            do {
                return try await watch.during {
                    if migration.runsInTransaction {
                        try await applyInTransaction(migration, on: connection)
                    } else {
                        try await applyAlone(migration, on: connection)
                    }
                }
            } catch let error as MigrationError where error.isAboutLock {
                let rest = patience.pause * attempt
                guard attempt < patience.attempts, connection.deadline.remaining > rest + patience.timeout else {
                    throw MigrationError.locked(migration.label, attempts: attempt, watch.last)
                }
                try await pause(rest)
                attempt += 1
            }
        }
    }

    private func applyInTransaction(_ migration: Migration, on connection: PostgresConnection) async throws {
        do {
            try await connection.begin()
            // What holds a lock that it got may take long, to rewrite a table for example: the deadline ends it, nothing else.
            try await connection.query(
                """
                SELECT set_config('lock_timeout', \(patience.setting), true), set_config('statement_timeout', '0', true)
                """)
            try await connection.execute(script: migration.sql)
            guard await connection.isInTransaction else { throw MigrationError.endedTransaction(migration.label) }
            try await record(migration, on: connection)
            try await connection.commit()
        } catch {
            await connection.rollback()
            guard let error = error as? PostgresError else { throw error }
            throw MigrationError.failed(
                migration.label, reason: error.detail.isEmpty ? "\(error)" : error.detail, error)
        }
    }

    /// Runs the one statement of a migration that bears no transaction, for as long as the deadline lets it.
    private func applyAlone(_ migration: Migration, on connection: PostgresConnection) async throws {
        let kind = try migration.alone()
        do {
            // What is concurrent waits for transactions, and nobody waits for it meanwhile. To build an index may take long.
            let lockTimeout = kind == .other ? patience.setting : "0"
            try await connection.query(
                "SELECT set_config('lock_timeout', \(lockTimeout), false), set_config('statement_timeout', '0', false)")
            if case .index(let name) = kind { try await dropInvalid(name, on: connection) }
            try await connection.execute(script: migration.sql)
            try await connection.execute(script: "RESET lock_timeout; RESET statement_timeout")
            try await record(migration, on: connection)
        } catch {
            try? await connection.execute(script: "RESET lock_timeout; RESET statement_timeout")
            guard let error = error as? PostgresError else { throw error }
            throw MigrationError.failedHalfway(
                migration.label, reason: error.detail.isEmpty ? "\(error)" : error.detail, error)
        }
    }

    /// Drops what a build that failed has left: an index of that name that is written to and never read.
    private func dropInvalid(_ name: String, on connection: PostgresConnection) async throws {
        let found = try await connection.query(
            "SELECT indexrelid FROM pg_index WHERE indexrelid = to_regclass(\(name)) AND NOT indisvalid")
        guard !found.isEmpty else { return }
        // The name is one of letters, digits and underscores: see ``Migration/alone()``.
        try await connection.execute(script: "DROP INDEX CONCURRENTLY IF EXISTS \(name)")
    }

    private func record(_ migration: Migration, on connection: PostgresConnection) async throws {
        try await connection.query(
            """
            INSERT INTO schema_migrations (version, name, checksum)
            VALUES (\(migration.version), \(migration.name), \(migration.checksum))
            """)
    }
}

extension MigrationError {
    /// Whether a lock was not to be had in time, or only by undoing what somebody else does (a deadlock).
    fileprivate var isAboutLock: Bool {
        switch self {
        case .failed(_, _, let error), .failedHalfway(_, _, let error):
            error.sqlState == "55P03" || error.sqlState == "40P01"
        default: false
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
