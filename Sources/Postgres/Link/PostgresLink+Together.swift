import CLibPQ
import ConnectionKit

/// Two statements that cost the round trip of one, by libpq's pipeline mode. Unless the first is `BEGIN` they are one
/// transaction, which ends with the second.
extension PostgresLink {
    /// Returns the second one's result. When either fails, nothing of the two has happened.
    func runTogether(
        _ first: SQL, _ second: SQL, _ native: OpaquePointer, _ exchange: Exchange, deadline: Deadline
    ) throws(PostgresError) -> PostgresResult {
        // All that may be refused comes before the first byte of either is sent.
        try firstParameters.encode(first)
        try parameters.encode(second)
        let opening = try prepare(first.text, first, native, deadline: deadline)
        let statement = try prepare(second.text, second, native, deadline: deadline)
        guard PQenterPipelineMode(native) == 1, Self.send(opening, &firstParameters, native),
            Self.send(statement, &parameters, native), PQpipelineSync(native) == 1
        else {
            let error = lost(native, exchange)
            finish()
            throw error
        }
        let result = try collectTogether(native, exchange, deadline: deadline)
        return makeResult(result, statement)
    }

    /// Waits for everything that the server answers to what was sent together and returns the last result, owned by the
    /// caller.
    ///
    /// When the wait ends early, or the answer is no answer, the connection is finished.
    private func collectTogether(
        _ native: OpaquePointer, _ exchange: Exchange, deadline: Deadline
    ) throws(PostgresError) -> OpaquePointer {
        var last: OpaquePointer?
        var failure: PostgresError?
        // `nil` ends the answer to one statement; twice in a row it ends the connection.
        var hasEnded = false
        do throws(PostgresError) {
            try flush(native, deadline: deadline)
            answers: while true {
                guard let result = try next(native, deadline: deadline) else {
                    if hasEnded {
                        // Without the answer to its end, a pipeline is out of step with the server for good.
                        failure = failure ?? lost(native, exchange)
                        finish(cancelling: true)
                        break answers
                    }
                    hasEnded = true
                    continue
                }
                hasEnded = false
                switch PQresultStatus(result) {
                case PGRES_PIPELINE_SYNC:
                    PQclear(result)
                    break answers
                // Not executed, since the one before it failed.
                case PGRES_PIPELINE_ABORTED:
                    PQclear(result)
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
        if handle.native == native, PQexitPipelineMode(native) != 1 { finish() }
        if let failure {
            PQclear(last)
            throw failure
        }
        guard let last else { throw PostgresError(.protocolViolation, detail: "the server returned no result") }
        return last
    }
}
