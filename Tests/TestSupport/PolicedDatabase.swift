import ConnectionKit
import Foundation
import Logging
package import Postgres

/// A service's database whose row security holds for the one who uses it: the server's own user, as which other tests work, is
/// above every policy.
package struct PolicedDatabase: Sendable {
    /// For the role that owns the tables and is nothing else, as a service's role is.
    package let client: PostgresClient
    /// For the server's own user, who sees and changes everything.
    package let all: PostgresClient

    /// The tables that have rows of tenants and do not keep them apart from their owner, too; there should be none.
    package func unguardedTables() async throws -> [String] {
        try await all.query(
            """
            SELECT relname::text AS name FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
            WHERE attname = 'tenant_id' AND relkind IN ('r', 'p') AND NOT relispartition
                AND relnamespace = 'public'::regnamespace AND NOT (relrowsecurity AND relforcerowsecurity)
            ORDER BY 1
            """, deadline: .after(.seconds(10))
        ).column("name")
    }

    /// A client of the same role in whose statements each id is equal to each other one, so that no condition of theirs keeps
    /// users, sessions or tenants apart. Policies compare as they did.
    package func forging() async throws -> PostgresClient {
        let configuration = client.configuration
        try await all.withConnection(deadline: .after(.seconds(10))) { connection in
            try await connection.execute(
                script: """
                    CREATE SCHEMA forged;
                    GRANT USAGE ON SCHEMA forged TO PUBLIC;
                    CREATE FUNCTION forged.always(uuid, uuid) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true';
                    CREATE OPERATOR forged.= (FUNCTION = forged.always, LEFTARG = uuid, RIGHTARG = uuid);
                    ALTER ROLE \(configuration.user) IN DATABASE \(configuration.database)
                        SET search_path = forged, pg_catalog, public;
                    """)
        }
        return PostgresClient(configuration: configuration, logger: Logger(label: "test"))
    }
}

extension TestPostgres {
    private static let owner = Task {
        let name = "owner"
        try await shared().execute("CREATE ROLE \(name) LOGIN PASSWORD 'test'")
        return name
    }

    /// A new database on the shared server, with all migrations of a service, made by the role that owns it.
    package static func policed(for service: String) async throws -> PolicedDatabase {
        let (server, owner) = (try await shared(), try await owner.value)
        let url = try await server.createDatabase(owner: owner)
        var configuration = try PostgresConfiguration(url: url)
        let all = PostgresClient(configuration: configuration, logger: Logger(label: "test"))
        (configuration.user, configuration.password) = (owner, "test")
        let client = PostgresClient(configuration: configuration, logger: Logger(label: "test"))
        _ = try await PostgresMigrator(client).migrate(migrations(of: service), deadline: .after(.seconds(30)))
        return PolicedDatabase(client: client, all: all)
    }
}
