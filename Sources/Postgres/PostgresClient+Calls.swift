package import ConnectionKit

extension PostgresClient {
    /// Leases a connection for the time of `body`. A transaction that `body` leaves open is rolled back.
    package func withConnection<Value>(
        deadline: Deadline, _ body: (PostgresConnection) async throws -> Value
    ) async throws -> Value {
        let lease = try await leaseLink(deadline: deadline)
        let connection = PostgresConnection(
            link: lease.connection, lease: lease.number, deadline: deadline, onStatement: onStatement)
        do {
            let value = try await body(connection)
            await giveBack(lease)
            return value
        } catch {
            await giveBack(lease)
            throw error
        }
    }

    /// Runs `body` in a transaction: COMMIT when it returns, ROLLBACK when it throws. Never retries by itself.
    ///
    /// A COMMIT whose answer did not come throws an error with `isOutcomeUnknown`.
    ///
    /// - Parameter first: a statement that the transaction begins with, in the round trip of its BEGIN.
    package func withTransaction<Value>(
        beginningWith first: SQL? = nil, deadline: Deadline, _ body: (PostgresConnection) async throws -> Value
    ) async throws -> Value {
        try await withConnection(deadline: deadline) { connection in
            try await connection.begin(with: first)
            let value: Value
            do {
                value = try await body(connection)
            } catch {
                await connection.rollback()
                throw error
            }
            try await connection.commit()
            return value
        }
    }

    /// Runs one statement on a connection of the pool, in a transaction of its own.
    ///
    /// - Parameter first: a statement that is run before it, in the same transaction and the same round trip.
    @discardableResult
    package func query(
        _ sql: SQL, precededBy first: SQL? = nil, deadline: Deadline
    ) async throws(PostgresError) -> PostgresResult {
        let lease = try await leaseLink(deadline: deadline)
        let start = ContinuousClock.now
        defer { onStatement?(ContinuousClock.now - start) }
        return try await lease.connection.withCancellation { (link) throws(PostgresError) in
            try await link.queryAndRelease(sql, precededBy: first, lease: lease, pool: pool, deadline: deadline)
        }
    }
}
