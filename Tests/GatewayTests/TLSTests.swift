import AsyncHTTPClient
import Foundation
import Gateway
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
}
