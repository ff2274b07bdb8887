package import ConnectionKit

/// What a migrator is doing, for a progress display.
package enum MigrationProgress: Sendable, Equatable {
    case applying(String)
    case applied(String)
}

/// What `PostgresMigrator.migrate` found and did; labels like `0001_outbox`.
package struct MigrationReport: Sendable, Equatable {
    /// Applied now, in order.
    package var applied: [String] = []
    /// Applied before.
    package var present: [String] = []
    /// Applied by a newer program than this one: versions beyond the newest known here.
    package var newer: [String] = []
}

/// Brings a database's schema to where a set of migrations ends.
package struct PostgresMigrator: Sendable {
    private let client: PostgresClient

    package init(_ client: PostgresClient) {
        self.client = client
    }

    /// Applies what is missing.
    @discardableResult
    package func migrate(
        _ set: MigrationSet, deadline: Deadline, progress: @Sendable (MigrationProgress) -> Void = { _ in }
    ) async throws(MigrationError) -> MigrationReport {
        preconditionFailure("not written yet")
    }
}
