import ConnectionKit
import LocalStack
import TestSupport
import Testing

@Suite("Private servers")
struct ServerTests {
    @Test("PostgreSQL starts, is killed, comes back with its data, and ends")
    func postgres() async throws {
        let server = try await TestPostgres.start()
        try await server.execute("CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)")
        await server.kill()
        try await server.restart()
        #expect(try await server.execute("SELECT n FROM kept") == "7\n")
        await server.stop()
        #expect(Ports.isFree(server.port))
    }

    @Test("A paused PostgreSQL answers nobody until it is continued")
    func pausing() async throws {
        let server = try await TestPostgres.start()
        let probe = Probe()
        await server.pause()
        #expect(await probe.answers(.postgres, port: server.port, deadline: .after(.milliseconds(300))) == false)
        await server.continue()
        #expect(await probe.answers(.postgres, port: server.port, deadline: .after(.seconds(5))))
        await server.stop()
    }

    @Test("Databases of the shared PostgreSQL are apart from each other")
    func databases() async throws {
        let server = try await TestPostgres.shared()
        let first = try await server.createDatabase()
        let second = try await server.createDatabase()
        #expect(first != second)
    }

    @Test("Redis starts, restarts and ends")
    func redis() async throws {
        let server = try await TestRedis.start(password: "secret")
        try await server.restart()
        await server.kill()
        #expect(Ports.isFree(server.port))
    }

    @Test("RabbitMQ starts with its own port mapper, is killed and comes back")
    func rabbitMQ() async throws {
        let server = try await TestRabbitMQ.start()
        #expect(try await server.control("list_vhosts").contains("test-1"))
        await server.kill()
        try await server.restart()
        await server.stop()
        #expect(Ports.isFree(server.port))
    }

    @Test("PostgreSQL and RabbitMQ speak TLS with a certificate of the test's own")
    func certificates() async throws {
        let certificate = try await TestCertificate.make()
        let postgres = try await TestPostgres.start(certificate: certificate)
        #expect(await Probe().answers(.postgresTLS, port: postgres.port, deadline: .after(.seconds(5))))
        await postgres.stop()
    }
}
