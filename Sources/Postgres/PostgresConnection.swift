package import ConnectionKit

/// A connection for the time of one `withConnection` or `withTransaction`. Afterwards its calls throw
/// `.protocolViolation`.
///
/// Statements run one after the other and all end by the deadline that the connection was leased with. When a statement
/// runs past it, or its task is cancelled, the server is told to cancel and the connection is gone.
package struct PostgresConnection: Sendable {
    let link: PostgresLink
    let lease: UInt64
    /// When everything on this connection must have ended.
    package let deadline: Deadline
    let onStatement: (@Sendable (Duration) -> Void)?

    /// Runs one statement, prepared on first use and cached by its text.
    @discardableResult
    package func query(_ sql: SQL) async throws(PostgresError) -> PostgresResult {
        let start = ContinuousClock.now
        defer { onStatement?(ContinuousClock.now - start) }
        return try await link.withCancellation { (link) throws(PostgresError) in
            try await link.query(sql, lease: lease, deadline: deadline)
        }
    }

    /// Runs one statement and hands its rows to `body` as they arrive, in constant memory, whatever the size of the result:
    /// while some are worked on, the next few hundred are read.
    ///
    /// `body` must not use the connection. When it throws, the rest of the result is not read and the connection is gone.
    package func stream(_ sql: SQL, _ body: (PostgresRow) async throws -> Void) async throws {
        try await link.withCancellation { (link) throws(PostgresError) in
            try await link.beginStream(sql, lease: lease, deadline: deadline)
        }
        do {
            var arrived = try await nextRows()
            while let rows = arrived {
                async let following = nextRows()
                for row in rows { try await body(row) }
                arrived = try await following
            }
        } catch {
            await link.abandonStream(lease: lease)
            throw error
        }
    }

    /// Runs a script of several statements, without parameters and in one implicit transaction unless it says otherwise.
    ///
    /// For migrations and tests: the text is sent as it is.
    package func execute(script: String) async throws(PostgresError) {
        try await link.withCancellation { (link) throws(PostgresError) in
            try await link.execute(script: script, lease: lease, deadline: deadline)
        }
    }

    /// Whether a transaction is open.
    var isInTransaction: Bool {
        get async { await link.isInTransaction }
    }

    private func nextRows() async throws(PostgresError) -> [PostgresRow]? {
        try await link.withCancellation { (link) throws(PostgresError) in
            try await link.nextRows(lease: lease, deadline: deadline)
        }
    }
}
