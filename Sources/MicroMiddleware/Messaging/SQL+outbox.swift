package import Contracts
package import Postgres

extension SQL {
    /// Inserts the event into the outbox once for each row of `source`: inside of a `WITH`, so that a change of state and
    /// its event are one statement and the event is written only if the change took place.
    ///
    /// - Parameters:
    ///   - source: the name of the query before, of one row at most.
    ///   - time: when it happened, an expression over `source`.
    package static func outboxInsert(
        _ event: DomainEvent, from source: StaticString, at time: StaticString = "clock_timestamp()"
    ) -> SQL {
        """
        INSERT INTO outbox (id, type, subject, tenant_id, occurred_at, data)
        SELECT \(event.id), \(event.type.rawValue)::text, \(event.subject)::text, \(event.tenantID),
            \(unescaped: time), \(event.data)::json
        FROM \(unescaped: source)
        """
    }
}
