import ConnectionKit
import Foundation
package import LocalStack

/// A private PostgreSQL. Use `shared()` and a database of your own unless the test hurts the server.
package final class TestPostgres: Sendable {
    package let handle: TestServer<PostgresServer>

    private init(_ server: PostgresServer) {
        handle = TestServer(server)
    }

    private static let sharedServer = Task { try await TestPostgres.start() }

    /// The one server of this test process, started at first use. Nobody may stop it.
    package static func shared() async throws -> TestPostgres {
        try await sharedServer.value
    }

    /// A server for one test: `stop()` it at the end.
    ///
    /// - Parameters:
    ///   - settings: `postgresql.conf` settings over the defaults; `fsync` is off.
    ///   - certificate: with it the server speaks TLS as well.
    ///   - asksForCertificate: whether clients must show one of the same authority, besides their password.
    package static func start(
        settings: [String: String] = [:], certificate: TestCertificate? = nil, asksForCertificate: Bool = false
    ) async throws -> TestPostgres {
        let directory = try TestDirectory.make("postgres")
        var all = ["fsync": "off", "full_page_writes": "off", "max_connections": "200"]
        all.merge(settings) { _, own in own }
        if let certificate {
            let files = try certificate.install(in: directory, owner: SystemAccount.forPostgres())
            all["ssl"] = "on"
            all["ssl_cert_file"] = files.certificate
            all["ssl_key_file"] = files.key
            if asksForCertificate {
                all["ssl_ca_file"] = files.authority
                all["hba_file"] = "\(directory)/hba.conf"
                // Without TLS a password is enough: that is how the server is asked whether it is ready.
                let rules = """
                    hostssl all all 127.0.0.1/32 scram-sha-256 clientcert=verify-ca
                    hostnossl all all 127.0.0.1/32 scram-sha-256

                    """
                try Files.write(rules, to: "\(directory)/hba.conf", permissions: 0o644)
            }
        }
        let server = TestPostgres(
            PostgresServer(
                name: "postgres-test", directory: directory, port: try Ports.free(), logFile: "\(directory)/log",
                superuserPassword: "test", settings: all))
        try await server.handle.start()
        return server
    }

    package var port: Int { handle.server.port }
    /// The superuser's address of the database `postgres`.
    package var url: String { handle.server.url() }

    /// The superuser's address of another database.
    package func url(database: String) -> String {
        "postgresql://postgres:test@127.0.0.1:\(port)/\(database)"
    }

    /// Makes an empty database of its own and returns the superuser's address of it.
    ///
    /// - Parameter owner: a role that owns it in the superuser's stead.
    package func createDatabase(owner: String = "postgres") async throws -> String {
        let name = "test_" + UUID().uuidString.lowercased().replacing("-", with: "")
        try await execute("CREATE DATABASE \(name) OWNER \(owner)")
        return url(database: name)
    }

    /// Runs SQL through `psql`, apart from the driver under test; returns unaligned rows, one a line.
    @discardableResult
    package func execute(_ sql: String, database: String = "postgres") async throws -> String {
        let directory = try PostgresServer.programDirectory()
        let psql = ProcessSpecification(
            name: "psql", executable: "\(directory)/psql",
            arguments: ["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", url(database: database), "-c", sql],
            environment: ProgramFinder.baseEnvironment(home: "/"), workingDirectory: "/", logFile: "")
        return try await Command.succeed(psql, deadline: .after(.seconds(30)))
    }

    package func stop() async { await handle.stop() }
    package func kill() async { await handle.kill() }
    package func pause() async { await handle.pause() }
    package func `continue`() async { await handle.continue() }
    /// A backend that was forked in the moment of a kill holds the shared memory until it notices that its server is gone.
    package func restart() async throws {
        for _ in 0..<20 {
            do {
                return try await handle.restart()
            } catch  where "\(error)".contains("pre-existing shared memory block") {
                try await Task.sleep(for: .milliseconds(250))
            }
        }
        try await handle.restart()
    }
}
