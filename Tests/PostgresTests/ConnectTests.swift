import ConnectionKit
import Foundation
import Postgres
import TestSupport
import Testing

@Suite("Connecting")
struct ConnectTests {
    /// A port of 127.0.0.1 where nobody listens: 1 needs privileges that no test server has.
    private let deadPort = 1

    @Test("A refused connection is an error at once, and the breaker keeps the next callers from trying")
    func refused() async throws {
        try await withClient({ $0.endpoints = [PostgresEndpoint(host: "127.0.0.1", port: deadPort)] }) { client in
            #expect(client.isAvailable)
            let start = ContinuousClock.now
            for _ in 0..<5 {
                let error = await #expect(throws: PostgresError.self) { try await client.ping(deadline: .generous) }
                #expect(error?.kind == .unavailable)
            }
            #expect(start.duration(to: .now) < .seconds(2))
            #expect(!client.isAvailable)
        }
    }

    @Test("The first endpoint that accepts is used")
    func failover() async throws {
        try await withClient({ $0.endpoints.insert(PostgresEndpoint(host: "127.0.0.1", port: deadPort), at: 0) }) {
            client in
            try await client.ping(deadline: .generous)
        }
    }

    @Test("A wrong password is unavailability with a reason that does not hold it")
    func wrongPassword() async throws {
        try await withClient({ $0.password = "wrong-secret" }) { client in
            let error = await #expect(throws: PostgresError.self) { try await client.ping(deadline: .generous) }
            #expect(error?.kind == .unavailable)
            #expect(error?.detail.contains("authentication failed") == true)
            #expect(error?.detail.contains("wrong-secret") == false)
            #expect(!"\(client.configuration)".contains("wrong-secret"))
        }
    }

    @Test("A connection is replaced when its lifetime is over")
    func lifetime() async throws {
        try await withClient({
            $0.poolSize = 1
            $0.maximumLifetime = .milliseconds(200)
        }) { client in
            func backend() async throws -> Int {
                try await client.query("SELECT pg_backend_pid() AS pid", deadline: .generous).column("pid")[0]
            }
            let first = try await backend()
            try await eventually("it is another connection") { try await backend() != first }
        }
    }

    @Test("A connection whose backend was terminated while idle is passed over")
    func terminatedBackend() async throws {
        try await withClient { client in
            let pid = try await client.query("SELECT pg_backend_pid() AS pid", deadline: .generous)
                .column("pid", as: Int.self)[0]
            try await TestPostgres.shared().execute("SELECT pg_terminate_backend(\(pid), 5000)")
            try await Task.sleep(for: .milliseconds(25))
            try await client.ping(deadline: .generous)
        }
    }

    @Test("TLS with a verified certificate works; an unknown authority is refused")
    func tls() async throws {
        let certificate = try await TestCertificate.make()
        let stranger = try await TestCertificate.make()
        let server = try await TestPostgres.start(certificate: certificate)
        try await withClient(
            on: server, { $0.tls = .verifyFull(rootCertificatePath: certificate.authorityPath) }
        ) { client in
            let row = try await client.query(
                "SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()", deadline: .generous
            ).first
            #expect(try row?.decode("ssl") == true)
            #expect(try row?.decode("version") == "TLSv1.3")
            let task = Task { try await client.query("SELECT pg_sleep(10) /* tls */", deadline: .generous) }
            try await server.waitUntil(1, of: "/* tls */")
            let start = ContinuousClock.now
            task.cancel()
            _ = await task.result
            #expect(start.duration(to: .now) < .seconds(2))
            let large = try await client.query("SELECT repeat('x', 3000000) AS v", deadline: .generous)
            #expect(try large.first?.decode(String.self, "v").utf8.count == 3_000_000)
        }
        try await withClient(
            on: server, { $0.tls = .verifyFull(rootCertificatePath: stranger.authorityPath) }
        ) { client in
            let error = await #expect(throws: PostgresError.self) { try await client.ping(deadline: .generous) }
            #expect(error?.kind == .unavailable)
        }
        await server.stop()
    }

    @Test("A certificate for another host is refused under verify-full, and taken where the name is not checked")
    func wrongHostName() async throws {
        let certificate = try await TestCertificate.make(names: "DNS:elsewhere.example.org")
        let server = try await TestPostgres.start(certificate: certificate)
        try await withClient(
            on: server, { $0.tls = .verifyFull(rootCertificatePath: certificate.authorityPath) }
        ) { client in
            let error = await #expect(throws: PostgresError.self) { try await client.ping(deadline: .generous) }
            #expect(error?.kind == .unavailable)
            #expect(error?.detail.contains("127.0.0.1") == true, "\(error?.detail ?? "")")
        }
        try await withClient(on: server, { $0.tls = .require }) { try await $0.ping(deadline: .generous) }
        await server.stop()
    }

    @Test("A server that asks for a client's certificate gets the one of the URL, and refuses who has none")
    func clientCertificate() async throws {
        let certificate = try await TestCertificate.make()
        let server = try await TestPostgres.start(certificate: certificate, asksForCertificate: true)
        func client(_ parameters: String) throws -> PostgresClient {
            PostgresClient(
                configuration: try PostgresConfiguration(
                    url: "\(server.url)?sslmode=verify-full&sslrootcert=\(certificate.authorityPath)\(parameters)"),
                logger: quietLogger)
        }
        let known = try client("&sslcert=\(certificate.certificatePath)&sslkey=\(certificate.keyPath)")
        try await known.ping(deadline: .generous)
        await known.close()
        let unknown = try client("")
        let error = await #expect(throws: PostgresError.self) { try await unknown.ping(deadline: .generous) }
        #expect(error?.detail.contains("certificate") == true, "\(error?.detail ?? "")")
        await unknown.close()
        await server.stop()
    }

    @Test("A database URL is read as libpq reads it")
    func url() throws {
        let configuration = try PostgresConfiguration(
            url: "postgresql://me:p%40ss@one:5433,two:5434/db?sslmode=require&application_name=x&connect_timeout=3")
        #expect(
            configuration.endpoints
                == [PostgresEndpoint(host: "one", port: 5_433), PostgresEndpoint(host: "two", port: 5_434)])
        #expect(configuration.user == "me")
        #expect(configuration.password == "p@ss")
        #expect(configuration.database == "db")
        #expect(configuration.tls == .require)
        #expect(configuration.applicationName == "x")
        #expect(configuration.connectTimeout == .seconds(3))
    }

    @Test(
        "A database URL that cannot be used is refused without being repeated",
        arguments: [
            "mysql://u:secret@h/db", "postgresql://u:secret@h:99999/db", "postgresql://u:secret@h:1/",
            "postgresql://u:secret@h/db?sslmode=verify-full", "postgresql://u:secret@h/db?sslmode=allow",
            "postgresql://u:se%zzcret@h/db", "postgresql://u:secret@h/db?sslcert=/a",
            "postgresql://u:secret@h/db?sslkey=/a",
        ])
    func badURL(url: String) {
        let error = #expect(throws: PostgresConfigurationError.self) { try PostgresConfiguration(url: url) }
        #expect(error?.description.contains("secret") == false)
    }

    @Test(
        "A parameter of libpq's that we do not understand is refused by its name",
        arguments: ["options", "hostaddr", "sslpassword", "channel_binding", "target_session_attrs", "service"])
    func unknownParameter(name: String) {
        let error = #expect(throws: PostgresConfigurationError.self) {
            try PostgresConfiguration(url: "postgresql://u:secret@h/db?\(name)=any")
        }
        #expect(error?.description.hasPrefix("\(name) in the database URL is not understood") == true)
        #expect(error?.description.contains("secret") == false)
    }
}
