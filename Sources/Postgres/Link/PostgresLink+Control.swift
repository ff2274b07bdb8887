import CLibPQ
import ConnectionKit
import Synchronization

extension PostgresLink {
    /// Runs a script by the simple query protocol.
    func execute(script: String, lease: UInt64, deadline: Deadline) throws(PostgresError) {
        let native = try ready(for: lease, deadline: deadline)
        defer { settle() }
        PQclear(try simple(script, native, Exchange(native), deadline: deadline))
    }

    func begin(lease: UInt64, deadline: Deadline) throws(PostgresError) {
        let native = try ready(for: lease, deadline: deadline)
        defer { settle() }
        PQclear(try simple("BEGIN", native, Exchange(native, changesNothing: true), deadline: deadline))
    }

    /// Begins with a statement, in the round trip of `BEGIN`.
    func begin(with first: SQL, lease: UInt64, deadline: Deadline) throws(PostgresError) {
        let native = try ready(for: lease, deadline: deadline)
        defer { settle() }
        let opening: SQL = "BEGIN"
        func attempt() throws(PostgresError) {
            _ = try runTogether(
                opening, first, native, Exchange(native, changesNothing: true), deadline: deadline)
        }
        do throws(PostgresError) {
            try attempt()
        } catch {
            guard error.isOfPreparation else { throw error }
            if error.sqlState == "26000" {
                // Who deallocates takes all of them, as a rule, and in a transaction none can be prepared anew after it failed.
                statements.removeAll()
            } else {
                _ = statements.remove(opening.text)
                _ = statements.remove(first.text)
            }
            guard handle.native == native else { throw error }
            // BEGIN was executed, and only the other is gone: what is left is a transaction that has failed.
            guard PQtransactionStatus(native) == PQTRANS_IDLE else {
                finish()
                throw error
            }
            try attempt()
        }
    }

    /// - Throws: SQLSTATE 25P02 when the server rolled back instead, because a statement had failed and nobody said so.
    func commit(lease: UInt64, deadline: Deadline) throws(PostgresError) {
        let native = try ready(for: lease, deadline: deadline)
        defer { settle() }
        guard let result = try simple("COMMIT", native, .commit, deadline: deadline) else { return }
        defer { PQclear(result) }
        guard PQcmdStatus(result).map({ String(cString: $0) }) == "COMMIT" else {
            throw PostgresError(
                .server(sqlState: "25P02", constraint: nil), detail: "a statement of the transaction had failed")
        }
    }

    /// Leaves the connection without a transaction, or without a server. Cancellation does not keep it from doing so.
    func rollback(lease: UInt64) {
        guard currentLease.load(ordering: .acquiring) == lease, let native = handle.native else { return }
        defer { settle() }
        guard stream == nil else { return finish(cancelling: true) }
        guard PQtransactionStatus(native) != PQTRANS_IDLE else { return }
        let exchange = Exchange(native, changesNothing: true)
        guard PQsendQuery(native, "ROLLBACK") == 1 else { return finish() }
        do throws(PostgresError) {
            PQclear(try collect(native, exchange, deadline: .after(.milliseconds(250)), heedsCancellation: false))
        } catch {
            finish()
        }
    }

    var isInTransaction: Bool {
        handle.native.map { PQtransactionStatus($0) == PQTRANS_INTRANS } ?? false
    }

    private func simple(
        _ text: String, _ native: OpaquePointer, _ exchange: Exchange, deadline: Deadline
    ) throws(PostgresError) -> OpaquePointer? {
        guard PQsendQuery(native, text) == 1 else { throw lost(native, exchange) }
        return try collect(native, exchange, deadline: deadline)
    }
}

extension PostgresConnection {
    func begin(with first: SQL? = nil) async throws(PostgresError) {
        try await link.withCancellation { (link) throws(PostgresError) in
            if let first {
                try await link.begin(with: first, lease: lease, deadline: deadline)
            } else {
                try await link.begin(lease: lease, deadline: deadline)
            }
        }
    }

    func commit() async throws(PostgresError) {
        try await link.withCancellation { (link) throws(PostgresError) in
            try await link.commit(lease: lease, deadline: deadline)
        }
    }

    func rollback() async {
        await link.rollback(lease: lease)
    }
}
