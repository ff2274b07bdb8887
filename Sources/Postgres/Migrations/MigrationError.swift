/// Why a database was not migrated. Each case prints as one sentence that says what to do.
package enum MigrationError: Error, Sendable, Equatable {
    case unreadable(String)
    case empty(String)
    case badName(String)
    case duplicateVersion(String, String)
    /// A migration that was applied has another text now.
    case changed(String)
    /// A migration that was applied has no file any more, though later ones have.
    case missing(String)
    /// A migration that was never applied is older than one that was.
    case outOfOrder(String, applied: String)
    /// A migration failed; it was rolled back. The reason is the server's.
    case failed(String, reason: String, PostgresError)
    /// A migration waited for a lock as often and as long as it may; each time it was rolled back.
    case locked(String, attempts: Int, LockWait?)
    /// A migration that runs without a transaction failed: what it has done so far may be there.
    case failedHalfway(String, reason: String, PostgresError)
    /// A migration that runs without a transaction is not what such a one must be.
    case badStatement(String, String)
    /// The database could not be asked.
    case database(PostgresError)
    /// A migration ended the transaction that it runs in.
    case endedTransaction(String)
}

extension MigrationError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .unreadable(let what): "Cannot read \(what)."
        case .empty(let directory): "The migration directory \(directory) holds no NNNN_name.sql file."
        case .badName(let file): "The migration file \(file) is not named NNNN_name.sql."
        case .duplicateVersion(let one, let other):
            "The migrations \(one) and \(other) have the same number; renumber one."
        case .changed(let label):
            "The migration \(label) was changed after it had been applied; restore its text and put the change into a new migration."
        case .missing(let label):
            "The migration \(label) was applied to this database but its file is gone; restore the file."
        case .outOfOrder(let label, let applied):
            "The migration \(label) is new but \(applied) was applied already; give it the next number."
        case .failed(let label, let reason, _):
            "The migration \(label) failed and was rolled back: \(reason)."
        case .locked(let label, let attempts, let wait):
            """
            The migration \(label) waited \(attempts) times in vain for \(wait.map { "\($0)" } ?? "a lock") and was rolled back \
            each time; end the transaction that holds the lock, or migrate when there is less to do.
            """
        case .failedHalfway(let label, let reason, _):
            "The migration \(label), which runs without a transaction, failed: \(reason). The next try begins it anew."
        case .badStatement(let label, let rule):
            "The migration \(label) runs without a transaction; see to it that it \(rule)."
        case .database(let error): "The database cannot be migrated: \(error)."
        case .endedTransaction(let label):
            "The migration \(label) ends its transaction; remove BEGIN, COMMIT and ROLLBACK from it."
        }
    }

    /// Whether trying again later may help: the database was not there, or somebody held a lock.
    package var isUnavailable: Bool {
        switch self {
        case .failed(_, _, let error), .failedHalfway(_, _, let error), .database(let error): error.isUnavailable
        case .locked: true
        default: false
        }
    }
}
