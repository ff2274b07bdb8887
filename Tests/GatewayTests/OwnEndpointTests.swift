import Foundation
import Gateway
import MicroMiddleware
import NIOCore
import Testing

@Suite("The gateway's own paths, and browsers")
struct OwnEndpointTests {
    @Test("Keys, discovery and liveness are answered with every service down")
    func everythingDown() async throws {
        try await GatewayFixture.run { gateway in
            await gateway.upstream.stop()
            let keys = try await gateway.get("/.well-known/jwks.json", token: nil)
            #expect(keys.hasPrefix("HTTP/1.1 200 OK"))
            #expect(keys.contains("Cache-Control: public, max-age=300"))
            #expect(keys.hasSuffix("{\"keys\":[]}"))
            let discovery = try await gateway.get("/.well-known/openid-configuration", token: nil)
            #expect(discovery.contains("\"jwks_uri\":\"https://authms.local/.well-known/jwks.json\""))
            #expect(try await gateway.get("/livez", token: nil).hasPrefix("HTTP/1.1 200 OK"))
            #expect(try await gateway.get("/readyz", token: nil).hasPrefix("HTTP/1.1 200 OK"))
        }
    }

    @Test("Discovery names the algorithm that tokens are signed with, under a shared secret too")
    func algorithms() async throws {
        let settings = ServiceSettings.fixed(
            service: "gateway",
            [
                "jwt.secret": String(repeating: "s", count: 32), "http.port": "0",
                "gateway.routes_file": GatewayFixture.routesPath,
            ])
        let gateway = try buildGateway(settings: settings, telemetry: try Telemetry(settings: settings))
        let address = try await gateway.server.start()
        let fixture = GatewayFixture(port: address.port ?? 0, upstream: try await StubUpstream.start())
        let answer = try await fixture.get("/.well-known/openid-configuration", token: nil)
        #expect(answer.contains("\"id_token_signing_alg_values_supported\":[\"HS256\"]"))
        await gateway.server.stop()
        await fixture.upstream.stop()
        try await GatewayFixture.run { gateway in
            let answer = try await gateway.get("/.well-known/openid-configuration", token: nil)
            #expect(answer.contains("\"id_token_signing_alg_values_supported\":[\"ES256\"]"))
        }
    }

    @Test("Discovery announces the endpoints where clients reach them, and the issuer as tokens name it")
    func publicURL() async throws {
        var values = [
            "jwt.secret": String(repeating: "s", count: 32), "http.port": "0",
            "gateway.routes_file": GatewayFixture.routesPath, "token.issuer": "https://issuer.example",
            "gateway.public_url": "http://127.0.0.1:11080/",
        ]
        let settings = ServiceSettings.fixed(service: "gateway", values)
        let gateway = try buildGateway(settings: settings, telemetry: try Telemetry(settings: settings))
        let address = try await gateway.server.start()
        let fixture = GatewayFixture(port: address.port ?? 0, upstream: try await StubUpstream.start())
        let answer = try await fixture.get("/.well-known/openid-configuration", token: nil)
        #expect(answer.contains("\"issuer\":\"https://issuer.example\""))
        #expect(answer.contains("\"jwks_uri\":\"http://127.0.0.1:11080/.well-known/jwks.json\""))
        await gateway.server.stop()
        await fixture.upstream.stop()
        for text in ["127.0.0.1:11080", "ftp://a", "http://", "http://a/b", "http://a?b", "http://u@a", "http://a\"b"] {
            values["gateway.public_url"] = text
            let settings = ServiceSettings.fixed(service: "gateway", values)
            #expect(throws: ConfigurationError.self, "\(text)") { try settings.valueIfPresent(.gatewayPublicURL) }
        }
    }

    @Test("Health tells which service answers, and turns unhealthy when none does")
    func health() async throws {
        try await GatewayFixture.run { configuration in
            configuration.probeInterval = .milliseconds(30)
        } _: { gateway in
            try await waitFor { try await gateway.get("/health", token: nil).contains("{\"status\":\"healthy\"") }
            await gateway.upstream.stop()
            try await waitFor {
                let answer = try await gateway.get("/health", token: nil)
                return answer.hasPrefix("HTTP/1.1 503") && answer.contains("\"mfa\":{\"status\":\"unhealthy\"}")
            }
        }
    }

    @Test("Another method on one of the gateway's own paths is answered 405")
    func methods() async throws {
        try await GatewayFixture.run { gateway in
            let answer = try await gateway.exchange("DELETE /livez HTTP/1.1\r\nHost: g\r\n\r\n")
            #expect(answer.contains("\"code\":405001"))
            #expect(answer.contains("Allow: GET, HEAD\r\n"))
            let trace = try await gateway.exchange("TRACE /mfa/api/v1/x HTTP/1.1\r\nHost: g\r\n\r\n")
            #expect(trace.contains("\"code\":405001"))
            #expect(trace.contains("Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n"))
            #expect(gateway.upstream.seen.requests.isEmpty)
        }
    }

    @Test("A question about the server as a whole is answered")
    func serverOptions() async throws {
        try await GatewayFixture.run { gateway in
            let request = "OPTIONS * HTTP/1.1\r\nHost: g\r\n\r\n"
            let answer = try await gateway.exchange(request + "GET /livez HTTP/1.1\r\nHost: g\r\n\r\n", responses: 2)
            #expect(answer.hasPrefix("HTTP/1.1 204 No Content\r\n"))
            #expect(answer.contains("Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n"))
            #expect(answer.hasSuffix("{\"status\":\"ok\"}"))
        }
    }

    @Test("A preflight of an allowed origin is answered without a token and without a service, to be remembered")
    func preflight() async throws {
        try await GatewayFixture.run { gateway in
            let request =
                "OPTIONS /mfa/api/v1/x HTTP/1.1\r\nHost: g\r\nAccess-Control-Request-Method: PUT\r\n"
                + "Access-Control-Request-Headers: authorization\r\n"
            let allowed = try await gateway.exchange("\(request)Origin: http://localhost:5173\r\n\r\n")
            #expect(allowed.hasPrefix("HTTP/1.1 204 No Content\r\n"))
            #expect(allowed.contains("Access-Control-Allow-Origin: http://localhost:5173"))
            #expect(allowed.contains("Access-Control-Max-Age: 7200"))
            let refused = try await gateway.exchange("\(request)Origin: http://evil.test\r\n\r\n")
            #expect(refused.hasPrefix("HTTP/1.1 403"))
            #expect(!refused.contains("Access-Control-Allow-Origin"))
            #expect(gateway.upstream.seen.requests.isEmpty)
        }
    }

    @Test("A page may send every header that is acted on, and read every one that it needs")
    func crossOriginHeaders() async throws {
        try await GatewayFixture.run { gateway in
            let preflight = try await gateway.exchange(
                "OPTIONS /profile/api/v1/profiles/1 HTTP/1.1\r\nHost: g\r\nOrigin: http://localhost:5173\r\n"
                    + "Access-Control-Request-Method: PUT\r\nAccess-Control-Request-Headers: if-match\r\n\r\n")
            #expect(
                names(in: preflight, of: "Access-Control-Allow-Headers")
                    == [
                        "authorization", "content-type", "if-match", "if-none-match", "last-event-id", "traceparent",
                        "tracestate", "x-device-token", "x-request-id", "x-tenant-id",
                    ])
            let answer = try await gateway.get("/mfa/api/v1/x", headers: ["Origin: http://localhost:5173"])
            #expect(
                names(in: answer, of: "Access-Control-Expose-Headers")
                    == [
                        "content-disposition", "etag", "location", "retry-after", "traceparent", "www-authenticate",
                        "x-request-id",
                    ])
        }
    }

    private func names(in answer: String, of header: String) -> [String] {
        let line = answer.split(whereSeparator: \.isNewline).first { $0.hasPrefix("\(header): ") }
        return (line ?? "").dropFirst(header.count + 2).lowercased().split(separator: ", ").map(String.init).sorted()
    }

    @Test("An allowed origin may read the answer, errors included; another may not")
    func crossOrigin() async throws {
        try await GatewayFixture.run { gateway in
            for token in ["good", "bad"] {
                let answer = try await gateway.get(
                    "/mfa/api/v1/x", token: token, headers: ["Origin: http://localhost:5173"])
                #expect(answer.contains("Access-Control-Allow-Origin: http://localhost:5173"))
                #expect(answer.contains("Vary: Origin"))
            }
            let other = try await gateway.get("/mfa/api/v1/x", headers: ["Origin: http://evil.test"])
            #expect(!other.contains("Access-Control"))
        }
    }

    /// Waits until `condition` holds, for at most five seconds.
    private func waitFor(_ condition: () async throws -> Bool) async throws {
        let deadline = ContinuousClock.now + .seconds(5)
        while ContinuousClock.now < deadline {
            if try await condition() { return }
            try await Task.sleep(for: .milliseconds(20))
        }
        Issue.record("what was waited for did not happen within five seconds")
    }
}
