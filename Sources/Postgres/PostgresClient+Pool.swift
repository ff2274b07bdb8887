import ConnectionKit
import Logging
import Synchronization

extension PostgresClient {
    static func makePool(configuration: PostgresConfiguration, logger: Logger) -> ConnectionPool<PostgresLink> {
        var bounds = PoolConfiguration(
            capacity: configuration.poolSize, waiterLimit: configuration.waiterLimit,
            acquireTimeout: configuration.acquireTimeout, maximumLifetime: configuration.maximumLifetime)
        bounds.backoff = Backoff(base: .milliseconds(50), limit: .seconds(2))
        var logger = logger
        logger[metadataKey: "database"] = "\(configuration.database)"
        let canceller = PostgresCanceller()
        return ConnectionPool(configuration: bounds, logger: logger) {
            let link = try PostgresLink(configuration: configuration, canceller: canceller)
            try await link.withCancellation { (link) throws(PostgresError) in try await link.connect() }
            return link
        }
    }

    /// Leases a connection that stands, as far as one can see without asking the server.
    func leaseLink(deadline: Deadline) async throws(PostgresError) -> ConnectionPool<PostgresLink>.Lease {
        // A restarted server leaves a pool full of dead connections: pass over them, each at most once.
        for _ in 0...configuration.poolSize {
            let lease: ConnectionPool<PostgresLink>.Lease
            do throws(PoolError) {
                lease = try await pool.lease(deadline: deadline)
            } catch {
                throw PostgresError(leasing: error)
            }
            if lease.idleFor > .milliseconds(20), !lease.connection.isQuiet {
                pool.release(lease, reusable: false)
                continue
            }
            lease.connection.currentLease.store(lease.number, ordering: .releasing)
            return lease
        }
        throw PostgresError(.unavailable, detail: "every connection of the pool was dead")
    }

    /// Gives a connection back, rolled back if need be.
    func giveBack(_ lease: ConnectionPool<PostgresLink>.Lease) async {
        if lease.connection.condition.load(ordering: .acquiring) == .dirty {
            await lease.connection.rollback(lease: lease.number)
        }
        lease.connection.currentLease.store(0, ordering: .releasing)
        pool.release(lease, reusable: lease.connection.condition.load(ordering: .acquiring) == .clean)
    }
}

extension PostgresError {
    init(leasing error: PoolError) {
        switch error {
        case .unavailable(let reason):
            let detail = (reason as? PostgresError)?.detail ?? reason.map { "\($0)" } ?? ""
            self.init(.unavailable, detail: detail)
        case .exhausted: self.init(.acquireTimeout)
        case .deadlineExceeded: self.init(.deadlineExceeded)
        case .cancelled: self.init(.cancelled)
        case .closed: self.init(.unavailable, detail: "the client is closed")
        }
    }
}
