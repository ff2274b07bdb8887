/// Why something that the driver was asked for did not happen.
///
/// `description` is safe to log: it holds neither SQL nor values nor credentials. What the server said in words may
/// hold values, so it is in `detail` alone.
package struct PostgresError: Error, Sendable, Equatable {
    /// What happened, for a program to decide by.
    package enum Kind: Sendable, Equatable {
        /// No connection could be had: refused, rejected, or the breaker is open after such a failure.
        case unavailable
        /// All connections were busy for `acquireTimeout`, or too many callers waited already.
        case acquireTimeout
        /// The caller's deadline passed. If the statement had been sent, its connection is gone and the server was told to
        /// cancel it; see `isOutcomeUnknown`.
        case deadlineExceeded
        /// The caller's task was cancelled; otherwise as `deadlineExceeded`.
        case cancelled
        /// The connection broke. `outcomeUnknown` when a commit may or may not have happened.
        case connectionLost(outcomeUnknown: Bool)
        /// The server refused the statement. `sqlState` is one of PostgreSQL's five-character error codes.
        case server(sqlState: String, constraint: String?)
        /// A column is absent, or is not what it was decoded as.
        case decoding(column: String, type: String)
        /// The parameter at this position (from 1) cannot be sent: PostgreSQL's text holds no NUL character.
        case invalidParameter(position: Int)
        /// The driver was used against its rules, or the server answered against its own.
        case protocolViolation
    }

    package let kind: Kind
    /// What more is known. It may hold values: for debug logs and for an operator's terminal, not for clients.
    package let detail: String
    /// The table that a server error is about, if any.
    package let table: String?
    /// Whether the statement may have taken effect although this error was thrown: true when it was sent outside of a
    /// transaction (or was a COMMIT) and no answer came.
    package let isOutcomeUnknown: Bool

    package init(_ kind: Kind, detail: String = "", table: String? = nil, isOutcomeUnknown: Bool = false) {
        self.kind = kind
        self.detail = detail
        self.table = table
        if case .connectionLost(true) = kind {
            self.isOutcomeUnknown = true
        } else {
            self.isOutcomeUnknown = isOutcomeUnknown
        }
    }
}

extension PostgresError {
    /// The SQLSTATE of a server error.
    package var sqlState: String? {
        if case .server(let sqlState, _) = kind { sqlState } else { nil }
    }

    /// The constraint that a server error names.
    package var constraint: String? {
        if case .server(_, let constraint) = kind { constraint } else { nil }
    }

    /// Whether this is a unique violation (23505).
    package var isUniqueViolation: Bool { sqlState == "23505" }
    /// A policy of row security refused the row (or the role may not do it at all): SQLSTATE 42501, insufficient_privilege.
    package var isInsufficientPrivilege: Bool { sqlState == "42501" }

    /// Whether the transaction may be tried again as it is: a serialization failure or a deadlock.
    package var isSerializationFailure: Bool { sqlState == "40001" || sqlState == "40P01" }

    /// Whether the database, rather than the statement, is the reason: to be answered with 503 and Retry-After.
    package var isUnavailable: Bool {
        switch kind {
        case .unavailable, .acquireTimeout, .connectionLost, .deadlineExceeded: true
        case .server(let sqlState, _):
            sqlState.hasPrefix("57P0") || sqlState.hasPrefix("53") || sqlState.hasPrefix("08")
        case .cancelled, .decoding, .invalidParameter, .protocolViolation: false
        }
    }
}

extension PostgresError: CustomStringConvertible {
    package var description: String {
        switch kind {
        case .unavailable: "the database is not available"
        case .acquireTimeout: "no database connection became free in time"
        case .deadlineExceeded: "the deadline passed before the database answered"
        case .cancelled: "the task was cancelled before the database answered"
        case .connectionLost(let outcomeUnknown):
            outcomeUnknown
                ? "the database connection was lost and the outcome is unknown" : "the database connection was lost"
        case .server(let sqlState, let constraint):
            "the database refused the statement (SQLSTATE \(sqlState)"
                + (constraint.map { ", constraint \($0)" } ?? "") + (table.map { ", table \($0)" } ?? "") + ")"
        case .decoding(let column, let type): "column \(column) cannot be decoded as \(type)"
        case .invalidParameter(let position): "parameter $\(position) holds a NUL character"
        case .protocolViolation: "the database driver was used against its rules: \(detail)"
        }
    }
}
