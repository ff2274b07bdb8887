import CLibPQ
import ConnectionKit

extension PostgresLink {
    /// Waits for everything that the server answers to one statement and returns the last result, owned by the caller.
    ///
    /// When the wait ends early, or the answer is no answer, the connection is finished.
    func collect(
        _ native: OpaquePointer, _ exchange: Exchange, deadline: Deadline, heedsCancellation: Bool = true
    ) throws(PostgresError) -> OpaquePointer? {
        var last: OpaquePointer?
        var failure: PostgresError?
        do throws(PostgresError) {
            try flush(native, deadline: deadline, heedsCancellation: heedsCancellation)
            while let result = try next(native, deadline: deadline, heedsCancellation: heedsCancellation) {
                switch PQresultStatus(result) {
                case PGRES_FATAL_ERROR, PGRES_BAD_RESPONSE, PGRES_NONFATAL_ERROR:
                    failure = failure ?? serverError(result, native, exchange)
                    PQclear(result)
                case PGRES_COPY_IN, PGRES_COPY_OUT, PGRES_COPY_BOTH:
                    PQclear(result)
                    throw PostgresError(.protocolViolation, detail: "COPY is not supported")
                default:
                    PQclear(last)
                    last = result
                }
            }
        } catch {
            PQclear(last)
            finish(cancelling: true)
            throw error.afterSending(exchange)
        }
        if let failure {
            PQclear(last)
            throw failure
        }
        return last
    }

    /// Sends what libpq has buffered, reading meanwhile so that neither side waits for the other.
    func flush(_ native: OpaquePointer, deadline: Deadline, heedsCancellation: Bool = true) throws(PostgresError) {
        while true {
            switch PQflush(native) {
            case 0: return
            case 1:
                let ready = try wait(
                    for: [.readable, .writable], native, until: deadline, heedsCancellation: heedsCancellation)
                if ready.contains(.readable), PQconsumeInput(native) == 0 { return }
            // The reason is read with the results.
            default: return
            }
        }
    }

    /// The next result; `nil` after the last.
    func next(
        _ native: OpaquePointer, deadline: Deadline, heedsCancellation: Bool = true
    ) throws(PostgresError) -> OpaquePointer? {
        while PQisBusy(native) != 0 {
            _ = try wait(for: .readable, native, until: deadline, heedsCancellation: heedsCancellation)
            // When the connection is lost, what the server said last is in the result.
            if PQconsumeInput(native) == 0 { break }
        }
        return PQgetResult(native)
    }

    func serverError(_ result: OpaquePointer, _ native: OpaquePointer, _ exchange: Exchange) -> PostgresError {
        guard let sqlState = field(result, "C") else { return lost(native, exchange) }
        var detail = field(result, "M") ?? ""
        if let more = field(result, "D") { detail += " (\(more))" }
        if let position = field(result, "P") { detail += " at character \(position)" }
        return PostgresError(
            .server(sqlState: sqlState, constraint: field(result, "n")), detail: detail, table: field(result, "t"))
    }

    func lost(_ native: OpaquePointer, _ exchange: Exchange) -> PostgresError {
        PostgresError(
            .connectionLost(outcomeUnknown: exchange.isOutcomeUnknown), detail: Self.message(native))
    }

    /// A field of an error report by its letter (protocol documentation, "Error and Notice Message Fields").
    private func field(_ result: OpaquePointer, _ code: Unicode.Scalar) -> String? {
        PQresultErrorField(result, CInt(code.value)).map { String(cString: $0) }
    }
}

extension PostgresError {
    /// The same error, with what is known about the statement that was under way.
    func afterSending(_ exchange: Exchange) -> PostgresError {
        switch kind {
        case .connectionLost: PostgresError(.connectionLost(outcomeUnknown: exchange.isOutcomeUnknown), detail: detail)
        default: PostgresError(kind, detail: detail, table: table, isOutcomeUnknown: exchange.isOutcomeUnknown)
        }
    }
}
