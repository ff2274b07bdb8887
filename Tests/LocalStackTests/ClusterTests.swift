import ConnectionKit
import Foundation
import LocalStack
import TestSupport
import Testing

@Suite("Private clusters")
struct ClusterTests {
    private func server(_ directory: String, databases: [PostgresServer.Database] = []) throws -> PostgresServer {
        PostgresServer(
            name: "cluster", directory: directory, port: try Ports.free(), logFile: "\(directory)/log",
            superuserPassword: "super", databases: databases, settings: ["fsync": "off"])
    }

    private func psql(_ url: String, _ sql: String) async throws -> Command.Outcome {
        try await Command.run(
            ProcessSpecification(
                name: "psql", executable: "\(try PostgresServer.programDirectory())/psql",
                arguments: ["-X", "-A", "-t", "-d", url, "-c", sql],
                environment: ProgramFinder.baseEnvironment(home: "/"), workingDirectory: "/", logFile: ""),
            deadline: .after(.seconds(20)))
    }

    @Test("A role opens its own database with its password, and no other database")
    func roles() async throws {
        let databases = ["one", "two"].map {
            PostgresServer.Database(name: "db_\($0)", role: "role_\($0)", password: "password-of-\($0)")
        }
        let server = try server(TestDirectory.make("roles"), databases: databases)
        let handle = TestServer(server)
        try await handle.start()
        let own = try await psql(server.url(databases[0]), "SELECT current_user")
        #expect(own.output == "role_one\n")
        for other in ["db_two", "postgres", "template1"] {
            let url = "postgresql://role_one:password-of-one@127.0.0.1:\(server.port)/\(other)"
            let refused = try await psql(url, "SELECT 1")
            #expect(refused.errors.contains("permission denied for database"), "\(other)")
        }
        let wrong = "postgresql://role_one:wrong@127.0.0.1:\(server.port)/db_one"
        #expect(try await psql(wrong, "SELECT 1").errors.contains("password authentication failed"))
        await handle.stop()
    }

    @Test("A cluster that is older than its service's role gets it with the next start, and keeps its data")
    func addedRole() async throws {
        let directory = try TestDirectory.make("added")
        let old = PostgresServer.Database(name: "db", role: "owner_of_db", password: "one")
        let before = TestServer(try server(directory, databases: [old]))
        try await before.start()
        let owner = before.server.url(old)
        #expect(try await psql(owner, "CREATE TABLE kept AS SELECT 7 AS n").exit.isSuccess)
        // As a crash would leave it.
        await before.kill()

        let new = PostgresServer.Database(
            name: "db", role: "owner_of_db", password: "one", serviceRole: .init(name: "service_of_db", password: "two")
        )
        for _ in 0..<2 {
            let handle = TestServer(try server(directory, databases: [new]))
            try await handle.start()
            #expect(try await psql(handle.server.ownURL, "SELECT current_user").output == "service_of_db\n")
            #expect(try await psql(handle.server.ownerURL, "SELECT n FROM kept").output == "7\n")
            let refused = try await psql(handle.server.ownURL, "SELECT n FROM kept")
            #expect(refused.errors.contains("permission denied"))
            #expect(
                try await psql(handle.server.ownURL, "CREATE TABLE mine (n int)").errors.contains("permission denied"))
            await handle.stop()
        }
    }

    @Test("A cluster whose initialisation was cut short is made anew; a whole one keeps its data")
    func halfInitialised() async throws {
        let directory = try TestDirectory.make("half")
        let server = try server(directory)
        try await server.prepare(deadline: .after(.seconds(60)))
        try Files.remove("\(directory)/initialised")
        try Files.remove("\(server.dataDirectory)/base")
        let handle = TestServer(server)
        try await handle.start()
        #expect(try await psql(server.url(), "CREATE TABLE kept (n int)").exit.isSuccess)
        await handle.stop()
        try await handle.start()
        #expect(try await psql(server.url(), "SELECT count(*) FROM kept").output == "0\n")
        await handle.stop()
    }

    @Test("A cluster whose data was lost is made anew with its service's role")
    func lostData() async throws {
        let database = PostgresServer.Database(
            name: "db", role: "owner_of_db", password: "one", serviceRole: .init(name: "service_of_db", password: "two")
        )
        let server = try server(TestDirectory.make("lost"), databases: [database])
        try await server.prepare(deadline: .after(.seconds(60)))
        try Files.remove(server.dataDirectory)
        let handle = TestServer(server)
        try await handle.start()
        #expect(try await psql(server.ownURL, "SELECT current_user").output == "service_of_db\n")
        await handle.stop()
    }

    @Test("The pid file of a process that is something else by now does not keep a cluster from starting")
    func stalePidFile() async throws {
        let server = try server(TestDirectory.make("stale"))
        try await server.prepare(deadline: .after(.seconds(60)))
        // Our own process: alive, and no PostgreSQL.
        let text =
            "\(ProcessInfo.processInfo.processIdentifier)\n\(server.dataDirectory)\n0\n\(server.port)\n\n127.0.0.1\n"
        try Files.write(text, to: "\(server.dataDirectory)/postmaster.pid")
        let handle = TestServer(server)
        try await handle.start()
        await handle.stop()
    }

    @Test("A second server on a running cluster's directory is refused by name")
    func runningAlready() async throws {
        let directory = try TestDirectory.make("twice")
        let first = try server(directory)
        let handle = TestServer(first)
        try await handle.start()
        let second = try server(directory)
        await #expect(throws: LocalStackError.self) { try await second.prepare(deadline: .after(.seconds(20))) }
        await handle.stop()
    }
}
