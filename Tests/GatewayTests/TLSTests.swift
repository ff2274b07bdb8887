import AsyncHTTPClient
import Foundation
import Gateway
import LocalStack
import NIOCore
import NIOHTTP1
import NIOSSL
import TestSupport
import Testing

@Suite("TLS and HTTP/2")
struct TLSTests {
    private static func client(trusting authority: String, _ version: HTTPClient.Configuration.HTTPVersion)
        -> HTTPClient
    {
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.trustRoots = .file(authority)
        var configuration = HTTPClient.Configuration(tlsConfiguration: tls)
        configuration.httpVersion = version
        configuration.connectionPool.retryConnectionEstablishment = false
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }

    @Test(
        "A client that speaks HTTP/2 gets it, another gets HTTP/1.1, and both get the same answers",
        arguments: [HTTPClient.Configuration.HTTPVersion.automatic, .http1Only])
    func negotiation(version: HTTPClient.Configuration.HTTPVersion) async throws {
        let certificate = try await TestCertificate.make()
        let files = try certificate.install(in: try TestDirectory.make("gateway"), owner: nil)
        try await GatewayFixture.run { configuration in
            configuration.certificate = (files.certificate, files.key)
        } _: { gateway in
            let client = Self.client(trusting: certificate.authorityPath, version)
            let base = "https://localhost:\(gateway.port)"
            do {
                var request = HTTPClientRequest(url: "\(base)/mfa/api/v1/x?y=1")
                request.method = .POST
                request.headers = ["Authorization": "Bearer good", "X-Forwarded-For": "6.6.6.6"]
                request.body = .bytes(ByteBuffer(repeating: 1, count: 300_000))
                let response = try await client.execute(request, timeout: .seconds(5))
                #expect(response.status == .ok)
                #expect(response.version == (version == .http1Only ? .http1_1 : .http2))
                #expect(response.headers.first(name: "strict-transport-security") != nil)
                #expect(response.headers["x-hop"].isEmpty)
                let body = String(buffer: try await response.body.collect(upTo: 65_536))
                #expect(body.contains("POST /api/v1/x?y=1"))
                #expect(body.contains("body-bytes: 300000"))
                #expect(body.contains("X-Forwarded-For: 127.0.0.1"))
                #expect(body.contains("X-Forwarded-Proto: https"))

                var large = HTTPClientRequest(url: "\(base)/mfa/api/v1/large")
                large.headers = ["Authorization": "Bearer good"]
                let bytes = try await client.execute(large, timeout: .seconds(10)).body.collect(upTo: 1 << 24)
                #expect(bytes.readableBytes == 8 * 1_048_576)

                // Many at once, good and bad, on the one connection.
                try await withThrowingTaskGroup(of: Bool.self) { group in
                    for index in 0..<40 {
                        group.addTask {
                            var request = HTTPClientRequest(url: "\(base)/mfa/api/v1/\(index)")
                            request.headers = ["Authorization": index % 2 == 0 ? "Bearer good" : "Bearer bad"]
                            let response = try await client.execute(request, timeout: .seconds(5))
                            _ = try await response.body.collect(upTo: 65_536)
                            return response.status == (index % 2 == 0 ? .ok : .unauthorized)
                        }
                    }
                    for try await isExpected in group { #expect(isExpected) }
                }
            } catch {
                Issue.record(error)
            }
            try await client.shutdown()
        }
    }

    @Test("A refresh over HTTP/2 that does not say how large it is goes to identity when nobody listens for session")
    func withoutLength() async throws {
        let certificate = try await TestCertificate.make()
        let files = try certificate.install(in: try TestDirectory.make("gateway"), owner: nil)
        try await GatewayFixture.run { configuration in
            configuration.certificate = (files.certificate, files.key)
            configuration.upstreams[1].replicas[0].port = 1
        } _: { gateway in
            let client = Self.client(trusting: certificate.authorityPath, .automatic)
            do {
                var request = HTTPClientRequest(url: "https://localhost:\(gateway.port)/identity/api/v1/auth/refresh")
                request.method = .POST
                let parts = AsyncStream<ByteBuffer> { stream in
                    for _ in 0..<3 { stream.yield(ByteBuffer(repeating: 1, count: 100)) }
                    stream.finish()
                }
                request.body = .stream(parts, length: .unknown)
                let response = try await client.execute(request, timeout: .seconds(5))
                #expect(response.status == .ok && response.version == .http2)
                let body = String(buffer: try await response.body.collect(upTo: 65_536))
                #expect(body.contains("POST /api/v1/auth/refresh") && body.contains("body-bytes: 300"))
            } catch {
                Issue.record(error)
            }
            try await client.shutdown()
        }
    }

    @Test("A renewed certificate serves new connections; one that cannot be used leaves the one before in force")
    func renewal() async throws {
        let first = try await TestCertificate.make()
        let second = try await TestCertificate.make()
        let directory = try TestDirectory.make("gateway")
        let files = try first.install(in: directory, owner: nil)
        let certificates = try TLSCertificates(chainPath: files.certificate, keyPath: files.key)
        let before = certificates.current
        #expect(try !certificates.reloadIfChanged())

        _ = try second.install(in: directory, owner: nil)
        #expect(try certificates.reloadIfChanged())
        let renewed = certificates.current
        #expect(renewed !== before)

        try "rubbish".write(toFile: files.certificate, atomically: true, encoding: .utf8)
        #expect(throws: (any Error).self) { try certificates.reloadIfChanged() }
        #expect(certificates.current === renewed)
    }

    @Test("A running gateway serves a renewed certificate to new connections, and does not disturb the others")
    func liveRenewal() async throws {
        let (first, second) = (try await TestCertificate.make(), try await TestCertificate.make())
        let directory = try TestDirectory.make("gateway")
        let files = try first.install(in: directory, owner: nil)
        let upstream = try await StubUpstream.start()
        var configuration = try GatewayFixture.configuration(upstreamPort: upstream.port)
        configuration.port = try Ports.free()
        configuration.certificate = (files.certificate, files.key)
        configuration.reloadInterval = .milliseconds(20)
        let server = try GatewayFixture.server(configuration)
        let running = Task { try await server.run() }
        let url = "https://localhost:\(configuration.port)/livez"
        let (before, after) = (
            Self.client(trusting: first.authorityPath, .http1Only),
            Self.client(trusting: second.authorityPath, .automatic)
        )
        func status(_ client: HTTPClient) async -> HTTPResponseStatus? {
            let response = try? await client.execute(HTTPClientRequest(url: url), timeout: .seconds(2))
            _ = try? await response?.body.collect(upTo: 65_536)
            return response?.status
        }
        func wait(_ client: HTTPClient) async throws {
            let deadline = ContinuousClock.now + .seconds(5)
            while await status(client) != .ok, ContinuousClock.now < deadline {
                try await Task.sleep(for: .milliseconds(20))
            }
            #expect(await status(client) == .ok)
        }

        try await wait(before)
        #expect(await status(after) == nil)
        _ = try second.install(in: directory, owner: nil)
        try await wait(after)
        // The connection that was there goes on; who does not know the new authority gets no new one.
        #expect(await status(before) == .ok)
        let late = Self.client(trusting: first.authorityPath, .http1Only)
        #expect(await status(late) == nil)

        for client in [before, after, late] { try await client.shutdown() }
        running.cancel()
        try await running.value
        await upstream.stop()
    }

    @Test("On shutdown an HTTP/2 client is told to go, and what it has asked for is still answered")
    func goAway() async throws {
        let certificate = try await TestCertificate.make()
        let files = try certificate.install(in: try TestDirectory.make("gateway"), owner: nil)
        let upstream = try await StubUpstream.start()
        var configuration = try GatewayFixture.configuration(upstreamPort: upstream.port)
        configuration.certificate = (files.certificate, files.key)
        let server = try GatewayFixture.server(configuration)
        let port = try await server.start().port ?? 0
        let client = Self.client(trusting: certificate.authorityPath, .automatic)
        let watcher = try await GoAwayWatcher.connect(port: port, trusting: certificate.authorityPath)
        var request = HTTPClientRequest(url: "https://localhost:\(port)/mfa/api/v1/slow")
        request.headers = ["Authorization": "Bearer good"]
        let asked = request
        async let response = client.execute(asked, timeout: .seconds(5))
        let deadline = ContinuousClock.now + .seconds(3)
        while upstream.seen.requests.isEmpty, ContinuousClock.now < deadline {
            try await Task.sleep(for: .milliseconds(2))
        }
        await server.stop()
        let answer = try await response
        #expect(answer.status == .ok && answer.version == .http2)
        #expect(String(buffer: try await answer.body.collect(upTo: 65_536)).contains("GET /api/v1/slow"))
        #expect(await watcher.wasToldToGo())
        try await client.shutdown()
        await upstream.stop()
    }
}
