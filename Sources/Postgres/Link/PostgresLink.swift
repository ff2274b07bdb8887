import ConnectionKit
import Logging

/// stub
actor PostgresLink {
    nonisolated func withCancellation<Value>(
        _ body: (PostgresLink) async throws(PostgresError) -> Value
    ) async throws(PostgresError) -> Value { preconditionFailure("not written yet") }
    func query(_ sql: SQL, lease: UInt64, deadline: Deadline) throws(PostgresError) -> PostgresResult {
        preconditionFailure("not written yet")
    }
    func beginStream(_ sql: SQL, lease: UInt64, deadline: Deadline) throws(PostgresError) {}
    func nextRows(lease: UInt64, deadline: Deadline) throws(PostgresError) -> [PostgresRow]? { nil }
    func abandonStream(lease: UInt64) {}
    func execute(script: String, lease: UInt64, deadline: Deadline) throws(PostgresError) {}
    func queryAndRelease(
        _ sql: SQL, lease: ConnectionPool<PostgresLink>.Lease, pool: ConnectionPool<PostgresLink>, deadline: Deadline
    ) throws(PostgresError) -> PostgresResult { preconditionFailure("not written yet") }
}

extension PostgresClient {
    static func makePool(configuration: PostgresConfiguration, logger: Logger) -> ConnectionPool<PostgresLink> {
        .init()
    }
    func leaseLink(deadline: Deadline) async throws(PostgresError) -> ConnectionPool<PostgresLink>.Lease {
        preconditionFailure("not written yet")
    }
    func giveBack(_ lease: ConnectionPool<PostgresLink>.Lease) async {}
}
extension PostgresConnection {
    func begin() async throws(PostgresError) {}
    func commit() async throws(PostgresError) {}
    func rollback() async {}
}
