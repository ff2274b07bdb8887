import CLibPQ
import ConnectionKit
import Synchronization

extension PostgresLink {
    /// Runs one statement for the holder of a lease.
    func query(_ sql: SQL, lease: UInt64, deadline: Deadline) throws(PostgresError) -> PostgresResult {
        let native = try ready(for: lease, deadline: deadline)
        defer { settle() }
        return try run(sql, native, deadline: deadline)
    }

    /// Runs one statement, or two together, and gives the connection back before the caller's own thread hears of it, so
    /// that a waiter need not wait for that too.
    func queryAndRelease(
        _ sql: SQL, precededBy first: SQL?, lease: ConnectionPool<PostgresLink>.Lease,
        pool: ConnectionPool<PostgresLink>, deadline: Deadline
    ) throws(PostgresError) -> PostgresResult {
        defer {
            settle()
            // A caller that sent BEGIN by itself has lost it here.
            if condition.load(ordering: .relaxed) == .dirty { finish() }
            pool.release(lease, reusable: condition.load(ordering: .relaxed) == .clean)
        }
        return try run(sql, precededBy: first, try ready(deadline: deadline), deadline: deadline)
    }

    private func run(
        _ sql: SQL, precededBy first: SQL? = nil, _ native: OpaquePointer, deadline: Deadline
    ) throws(PostgresError) -> PostgresResult {
        let text = sql.text
        func attempt() throws(PostgresError) -> PostgresResult {
            guard let first else { return try runPrepared(text, sql, native, deadline: deadline) }
            return try runTogether(
                first, sql, native, Exchange(native), deadline: deadline)
        }
        do throws(PostgresError) {
            return try attempt()
        } catch {
            // The table changed under the statement, or somebody deallocated it. Nothing was executed. A connection that has
            // been finished meanwhile must not be asked anything: libpq has freed it.
            guard error.isOfPreparation, statements.remove(text) != nil,
                handle.native == native, PQtransactionStatus(native) == PQTRANS_IDLE
            else { throw error }
            if let first { _ = statements.remove(first.text) }
            return try attempt()
        }
    }

    private func runPrepared(
        _ text: String, _ sql: SQL, _ native: OpaquePointer, deadline: Deadline
    ) throws(PostgresError) -> PostgresResult {
        try parameters.encode(sql)
        let statement = try prepare(text, sql, native, deadline: deadline)
        let exchange = Exchange(native)
        try send(statement, native, exchange, deadline: deadline)
        guard let result = try collect(native, exchange, deadline: deadline) else {
            throw PostgresError(.protocolViolation, detail: "the server returned no result")
        }
        return makeResult(result, statement)
    }

    func makeResult(_ result: OpaquePointer, _ statement: PreparedStatement) -> PostgresResult {
        let columns: ResultColumns
        if let known = statement.columns, known.names.count == PQnfields(result) {
            columns = known
        } else {
            columns = ResultColumns(result)
            statement.columns = columns
        }
        let touched = PQcmdTuples(result).map { Int(String(cString: $0)) ?? 0 } ?? 0
        return PostgresResult(storage: ResultStorage(result, columns: columns), affectedRows: touched)
    }

    // MARK: Prepared statements

    func prepare(
        _ text: String, _ sql: SQL, _ native: OpaquePointer, deadline: Deadline
    ) throws(PostgresError) -> PreparedStatement {
        let types = sql.parameterTypes
        if let statement = statements.find(text) {
            if statement.types == types { return statement }
            // The same text with other types, which `Optional` of different types can give: the newer one stays.
            _ = statements.remove(text).map { deallocate($0, native, deadline: deadline) }
        }
        if let evicted = statements.evict() { deallocate(evicted, native, deadline: deadline) }
        let statement = PreparedStatement(name: statements.newName(), types: types)
        let exchange = Exchange(native, changesNothing: true)
        let oids = types.map(\.rawValue)
        guard PQsendPrepare(native, statement.name, text, CInt(oids.count), oids) == 1 else {
            throw lost(native, exchange)
        }
        PQclear(try collect(native, exchange, deadline: deadline))
        statements.insert(statement, for: text)
        return statement
    }

    /// Best effort: in a failed transaction the server refuses, and the statement stays there unused.
    private func deallocate(_ statement: PreparedStatement, _ native: OpaquePointer, deadline: Deadline) {
        let exchange = Exchange(native, changesNothing: true)
        guard PQtransactionStatus(native) != PQTRANS_INERROR, PQsendQuery(native, "DEALLOCATE \(statement.name)") == 1
        else { return }
        if let result = try? collect(native, exchange, deadline: deadline) { PQclear(result) }
    }

    func send(
        _ statement: PreparedStatement, _ native: OpaquePointer, _ exchange: Exchange, deadline: Deadline
    ) throws(PostgresError) {
        guard Self.send(statement, &parameters, native) else { throw lost(native, exchange) }
    }

    static func send(
        _ statement: PreparedStatement, _ parameters: inout ParameterBuffer, _ native: OpaquePointer
    ) -> Bool {
        parameters.withPointers { count, values, lengths, formats in
            PQsendQueryPrepared(native, statement.name, count, values, lengths, formats, 1)
        } == 1
    }
}

/// What is known, before a statement is sent, about what its loss would mean.
struct Exchange {
    let isOutcomeUnknown: Bool

    /// In an open transaction nothing is final until COMMIT; outside of one the statement commits by itself.
    init(_ native: OpaquePointer, changesNothing: Bool = false) {
        isOutcomeUnknown = !changesNothing && PQtransactionStatus(native) == PQTRANS_IDLE
    }

    static let commit = Exchange(isOutcomeUnknown: true)

    private init(isOutcomeUnknown: Bool) {
        self.isOutcomeUnknown = isOutcomeUnknown
    }
}

extension PostgresError {
    /// Whether a statement may work when it is prepared anew: the table changed under it, or somebody deallocated it.
    var isOfPreparation: Bool { sqlState == "0A000" || sqlState == "26000" }
}

extension SQL {
    fileprivate var parameterTypes: [PostgresType] {
        segments.compactMap { if case .parameter(let value) = $0 { value.type } else { nil } }
    }
}
