/// A statement that the server has parsed for one connection.
final class PreparedStatement {
    let name: String
    let types: [PostgresType]
    /// Known after the first execution.
    var columns: ResultColumns?
    fileprivate(set) var lastUse: UInt64 = 0

    init(name: String, types: [PostgresType]) {
        self.name = name
        self.types = types
    }
}

/// The prepared statements of one connection by their text, of which the least recently used goes first.
struct StatementCache {
    private let capacity: Int
    private var statements: [String: PreparedStatement] = [:]
    private var clock: UInt64 = 0
    private var lastName = 0

    init(capacity: Int) {
        // Two are sent together at times.
        self.capacity = max(2, capacity)
    }

    mutating func find(_ text: String) -> PreparedStatement? {
        guard let statement = statements[text] else { return nil }
        clock += 1
        statement.lastUse = clock
        return statement
    }

    mutating func newName() -> String {
        lastName += 1
        return "s\(lastName)"
    }

    mutating func insert(_ statement: PreparedStatement, for text: String) {
        clock += 1
        statement.lastUse = clock
        statements[text] = statement
    }

    mutating func remove(_ text: String) -> PreparedStatement? {
        statements.removeValue(forKey: text)
    }

    /// Those that the server still has stay there unused; their names do not come again.
    mutating func removeAll() {
        statements.removeAll(keepingCapacity: true)
    }

    /// Makes room for one more: the statement to deallocate on the server, if any.
    mutating func evict() -> PreparedStatement? {
        guard statements.count >= capacity,
            let oldest = statements.min(by: { $0.value.lastUse < $1.value.lastUse })
        else { return nil }
        return statements.removeValue(forKey: oldest.key)
    }
}
