import ConnectionKit
import Foundation
import Logging
package import Postgres

extension TestPostgres {
    /// A client of a new database on the shared server, with all migrations of a service: `identity`, `session` …
    package static func migrated(for service: String) async throws -> PostgresClient {
        let url = try await shared().createDatabase()
        let client = PostgresClient(configuration: try PostgresConfiguration(url: url), logger: Logger(label: "test"))
        _ = try await PostgresMigrator(client).migrate(
            migrations(of: service), deadline: .after(.seconds(30)))
        return client
    }

    static func migrations(of service: String) throws -> MigrationSet {
        try MigrationSet(directory: "\(repository)/migrations/\(service)")
    }

    private static let repository = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path(percentEncoded: false)
}
