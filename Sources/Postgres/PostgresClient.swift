package import ConnectionKit
package import Logging
import ServiceLifecycle

/// A PostgreSQL database, behind a pool of connections.
///
/// Every call takes a deadline and throws `PostgresError`. A call may be made before `run()`: connections are opened as
/// they are needed; `run()` keeps one ready and reconnects without waiting for a caller.
package final class PostgresClient: Service, Sendable {
    package let configuration: PostgresConfiguration
    let logger: Logger
    let pool: ConnectionPool<PostgresLink>
    /// Told how long each statement took on its connection, whether it succeeded or not; waiting for a connection aside.
    let onStatement: (@Sendable (Duration) -> Void)?

    /// - Parameter onStatement: called after each statement on whatever thread it ran; it must not block.
    package init(
        configuration: PostgresConfiguration, logger: Logger, onStatement: (@Sendable (Duration) -> Void)? = nil
    ) {
        self.configuration = configuration
        self.logger = logger
        self.onStatement = onStatement
        pool = PostgresClient.makePool(configuration: configuration, logger: logger)
    }

    /// Keeps the pool until graceful shutdown or cancellation. On graceful shutdown, calls in flight may end (up to 10 s)
    /// before the connections are closed.
    package func run() async throws {
        pool.maintain()
        try? await gracefulShutdown()
        if !Task.isCancelled { await pool.drain(until: .after(.seconds(10))) }
        await pool.close()
    }

    /// Closes all connections, those in use as soon as they are released. Later calls throw `.unavailable`.
    package func close() async {
        await pool.close()
    }

    /// Whether the last attempt to connect succeeded, or none was made yet: for readiness. Costs nothing.
    package var isAvailable: Bool { pool.isAvailable }

    /// How many connections exist, and how many of these are idle: for metrics.
    package var connectionCounts: (connections: Int, idle: Int) { pool.counts }

    /// Makes a round trip to the server.
    package func ping(deadline: Deadline) async throws(PostgresError) {
        try await query("SELECT 1", deadline: deadline)
    }
}
