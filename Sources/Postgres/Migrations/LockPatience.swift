/// How long a migration waits for a table's lock before it lets those through that wait behind it, and how often it comes
/// again.
///
/// Who waits for a lock on a table holds up everybody who comes after, also those who could read. So a migration of a live
/// database gives up soon, and asks again.
package struct LockPatience: Sendable, Hashable {
    /// How long one lock may take; more than a millisecond.
    package var timeout: Duration
    /// How often the migration is tried; 1 or more.
    package var attempts: Int
    /// The pause after the first try; after the second it is twice as long, and so on.
    package var pause: Duration

    /// Five tries of five seconds, within a minute.
    package static let standard = LockPatience(timeout: .seconds(5), attempts: 5, pause: .seconds(1))

    package init(timeout: Duration, attempts: Int, pause: Duration) {
        self.timeout = timeout
        self.attempts = attempts
        self.pause = pause
    }

    /// As PostgreSQL's `lock_timeout` has it.
    var setting: String { "\(max(1, Int64(timeout / .milliseconds(1))))ms" }
}

/// A lock that a migration waits for, and who holds it.
package struct LockWait: Sendable, Hashable {
    /// PostgreSQL's name of it: `AccessExclusiveLock`.
    package var mode: String
    /// The table; where it is none, what else is locked: `virtualxid` for a transaction that must end first.
    package var object: String
    /// The process that holds it, as far as that is known.
    package var holder: Holder?

    package struct Holder: Sendable, Hashable {
        package var processID: Int32
        /// What the session calls itself: `identity`.
        package var application: String
        /// `idle in transaction`, for example.
        package var state: String
        /// Of its transaction.
        package var seconds: Int64
    }
}

extension LockWait: CustomStringConvertible {
    package var description: String {
        let what = "\(mode) on \(object)"
        guard let holder else { return what }
        return """
            \(what), which process \(holder.processID) holds (\(holder.application), \(holder.state), its transaction is \
            \(holder.seconds) s old)
            """
    }
}

extension LockWait {
    /// What the server process with this id waits for.
    static func statement(of processID: Int32) -> SQL {
        """
        SELECT l.mode, coalesce(l.relation::regclass::text, l.locktype) AS object, a.pid,
            coalesce(nullif(a.application_name, ''), a.usename::text, 'unknown') AS application,
            coalesce(a.state, 'active') AS state,
            coalesce(extract(epoch FROM clock_timestamp() - a.xact_start), 0)::int8 AS seconds
        FROM pg_locks l
        LEFT JOIN pg_stat_activity a ON a.pid = (SELECT min(pid) FROM unnest(pg_blocking_pids(l.pid)) AS b (pid))
        WHERE l.pid = \(processID) AND NOT l.granted LIMIT 1
        """
    }

    init(row: PostgresRow) throws {
        mode = try row.decode("mode")
        object = try row.decode("object")
        if let processID = try row.decode(Int32?.self, "pid") {
            holder = Holder(
                processID: processID, application: try row.decode("application"), state: try row.decode("state"),
                seconds: try row.decode("seconds"))
        }
    }
}
