/// The bounds of a connection pool.
package struct PoolConfiguration: Sendable {
    /// Connections at most, those being opened included; 1 or more.
    package var capacity: Int
    /// Callers that may wait at once.
    package var waiterLimit: Int
    /// How long a caller waits at most, its own deadline aside.
    package var acquireTimeout: Duration
    /// How long a caller waits, once the server was found gone, for the one attempt that finds out whether it is back.
    package var probePatience: Duration = .milliseconds(100)
    /// A connection that is older is closed when it is idle. Each gets up to a tenth less, at random.
    package var maximumLifetime: Duration
    /// The waits between attempts to connect.
    package var backoff = Backoff()

    package init(
        capacity: Int, waiterLimit: Int = 1_024, acquireTimeout: Duration = .seconds(1),
        maximumLifetime: Duration = .seconds(30 * 60)
    ) {
        precondition(capacity > 0, "a pool holds at least one connection")
        self.capacity = capacity
        self.waiterLimit = waiterLimit
        self.acquireTimeout = acquireTimeout
        self.maximumLifetime = maximumLifetime
    }
}
