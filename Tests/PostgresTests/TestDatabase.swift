import ConnectionKit
import Logging
import Postgres
import TestSupport

/// A database of a test's own and a client of it, closed at the end.
func withClient<Value>(
    on server: TestPostgres? = nil, _ configure: (inout PostgresConfiguration) -> Void = { _ in },
    _ body: (PostgresClient) async throws -> Value
) async throws -> Value {
    let server = if let server { server } else { try await TestPostgres.shared() }
    let url = try await untilItSucceeds { try await server.createDatabase() }
    var configuration = try PostgresConfiguration(url: url)
    configuration.tls = .disable
    // Generous, since many tests run at once; those that are about these limits set their own.
    configuration.acquireTimeout = .seconds(20)
    configuration.connectTimeout = .seconds(20)
    configure(&configuration)
    let client = PostgresClient(configuration: configuration, logger: quietLogger)
    do {
        let value = try await body(client)
        await client.close()
        return value
    } catch {
        await client.close()
        throw error
    }
}

let quietLogger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

extension Deadline {
    /// Long enough for anything that should work.
    static var generous: Deadline { .after(.seconds(30)) }
}

extension TestPostgres {
    /// Waits until so many statements that contain `marker` run on the server, seen from outside of the driver.
    func waitUntil(_ count: Int, of marker: String) async throws {
        try await eventually("\(count) statements of \(marker) run") {
            let running = try await execute(
                "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%\(marker)%' AND pid <> pg_backend_pid()"
            )
            return running.filter(\.isNumber) == "\(count)"
        }
    }
}
