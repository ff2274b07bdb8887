package import Contracts
package import Postgres

/// Where a service writes its events: a table of its own database, in the transaction that makes the change.
///
/// ```swift
/// try await database.withTransaction(deadline: deadline) { connection in
///     try await connection.query("UPDATE users SET …")
///     try await outbox.append(event, on: connection)
/// }
/// outbox.wake(.soon)
/// ```
/// The relay finds rows without `wake()` too, within a quarter of a second: another replica's, or after a crash.
package struct Outbox: Sendable {
    /// When the relay may act.
    package enum Urgency: Sendable {
        /// Together with what else is committed within a tenth of a second.
        case soon
        /// At once: the event takes access away from somebody.
        case now
    }

    let signal = WakeSignal()
    let hurry = WakeSignal()

    package init() {}

    /// The statement that writes one event. Also as a part of a larger one:
    /// `"WITH changed AS (UPDATE … RETURNING id) \(Outbox.insertSQL(event))"`, or
    /// `"WITH changed AS (…), written AS (\(Outbox.insertSQL(event))) SELECT … FROM changed"`.
    ///
    /// A statement that makes the event from its own rows inserts into
    /// `outbox (id, type, subject, tenant_id, occurred_at, data)` itself.
    package static func insertSQL(_ event: DomainEvent) -> SQL {
        """
        INSERT INTO outbox (id, type, subject, tenant_id, occurred_at, data) VALUES (
        \(event.id), \(event.type.rawValue), \(event.subject), \(event.tenantID), \(event.time.date), \(event.data))
        """
    }

    /// The statement that writes several events, in their order.
    package static func insertSQL(_ events: [DomainEvent]) -> SQL {
        """
        INSERT INTO outbox (id, type, subject, tenant_id, occurred_at, data)
        SELECT id, type, subject, tenant_id, occurred_at, data::json
        FROM unnest(\(events.map(\.id)), \(events.map(\.type.rawValue)), \(events.map(\.subject)),
            \(events.map(\.tenantID)), \(events.map(\.time.date)), \(events.map(\.data)))
            WITH ORDINALITY AS event(id, type, subject, tenant_id, occurred_at, data, number)
        ORDER BY number
        """
    }

    /// Writes an event in the connection's transaction. Call ``wake()`` once that has committed.
    package func append(_ event: DomainEvent, on connection: PostgresConnection) async throws(PostgresError) {
        try await connection.query(Self.insertSQL(event))
    }

    /// Writes events in the connection's transaction. Call ``wake()`` once that has committed.
    package func append(_ events: [DomainEvent], on connection: PostgresConnection) async throws(PostgresError) {
        guard !events.isEmpty else { return }
        try await connection.query(Self.insertSQL(events))
    }

    /// Tells this process's relay that something has been committed.
    package func wake(_ urgency: Urgency = .soon) {
        signal.wake()
        if urgency == .now { hurry.wake() }
    }
}
