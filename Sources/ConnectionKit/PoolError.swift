/// Why no connection could be leased.
package enum PoolError: Error, Sendable {
    /// The last attempt to connect failed, and the next one is not due yet or has failed too. With its error, if known.
    case unavailable((any Error)?)
    /// Every connection stayed busy for the acquire timeout, or too many callers wait already.
    case exhausted
    case deadlineExceeded
    case cancelled
    /// The pool was closed, or is draining.
    case closed
}
