import Foundation

extension Migration {
    /// The first line of a file whose one statement cannot run in a transaction: `CREATE INDEX CONCURRENTLY`, for example.
    package static let noTransactionDirective = "-- authms: no-transaction"

    /// Whether the migration and the note that it was applied are one transaction. If not, the process may end between the
    /// two, and the statement must bear being run twice.
    package var runsInTransaction: Bool {
        let first = sql.prefix { !$0.isNewline }
        return first.trimmingCharacters(in: .whitespaces) != Self.noTransactionDirective
    }

    /// The text without its comments of lines, and without the semicolon at the end.
    private var bareStatement: String {
        let lines = sql.split(whereSeparator: \.isNewline)
            .filter { !$0.trimmingCharacters(in: .whitespaces).hasPrefix("--") }
        var text = lines.joined(separator: "\n").trimmingCharacters(in: .whitespacesAndNewlines)
        if text.hasSuffix(";") { text.removeLast() }
        return text
    }

    /// What a migration without a transaction is, as far as the migrator must know.
    enum Alone: Equatable {
        /// Builds the index of this name while the table is written to.
        case index(String)
        /// Waits for others as long as it takes, and nobody waits for it.
        case concurrent
        case other
    }

    /// - Throws: `MigrationError.badStatement` for what could not be tried again after it failed half-way.
    func alone() throws(MigrationError) -> Alone {
        let text = bareStatement
        guard !text.isEmpty, !text.contains(";") else {
            throw .badStatement(label, "holds exactly one statement, without a semicolon inside")
        }
        let index = /(?i)CREATE\s+(?:UNIQUE\s+)?INDEX\s+CONCURRENTLY\s+IF\s+NOT\s+EXISTS\s+([a-z_][a-z0-9_]*)\s+ON\s.*/
            .dotMatchesNewlines()
        if let match = text.wholeMatch(of: index) { return .index(match.1.lowercased()) }
        if text.firstMatch(of: /(?i)^CREATE\s+(?:UNIQUE\s+)?INDEX\s+CONCURRENTLY\s/) != nil {
            throw .badStatement(label, "says CREATE INDEX CONCURRENTLY IF NOT EXISTS and a plain name")
        }
        return text.firstMatch(of: /(?i)\sCONCURRENTLY\b/) != nil ? .concurrent : .other
    }
}
