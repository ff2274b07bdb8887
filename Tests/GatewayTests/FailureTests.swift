import Foundation
import Gateway
import NIOCore
import Testing

@Suite("When something fails")
struct FailureTests {
    private static func request(_ method: String, _ path: String) -> String {
        "\(method) /mfa/api/v1/\(path) HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer good\r\nContent-Length: 0\r\n\r\n"
    }

    @Test("A service that is not there is answered 503003 with Retry-After, and the others go on")
    func refusedConnection() async throws {
        try await GatewayFixture.run { configuration in
            configuration.upstreams[3].replicas[0].port = 1
        } _: { gateway in
            for _ in 0..<5 {
                let answer = try await gateway.get("/mfa/api/v1/x")
                #expect(answer.hasPrefix("HTTP/1.1 503 Service Unavailable\r\n"))
                #expect(answer.contains("\"code\":503003"))
                #expect(answer.contains("Retry-After: "))
            }
            #expect(try await gateway.get("/profile/api/v1/x").hasPrefix("HTTP/1.1 200"))
        }
    }

    @Test("A service that comes back is used again within seconds")
    func recovery() async throws {
        try await GatewayFixture.run { gateway in
            let port = gateway.upstream.port
            await gateway.upstream.stop()
            for _ in 0..<5 { #expect(try await gateway.get("/mfa/api/v1/x").contains("503003")) }
            let again = try await StubUpstream.start(port: port)
            let deadline = ContinuousClock.now + .seconds(5)
            var answer = ""
            repeat {
                answer = try await gateway.get("/mfa/api/v1/x")
                try await Task.sleep(for: .milliseconds(20))
            } while !answer.hasPrefix("HTTP/1.1 200") && ContinuousClock.now < deadline
            #expect(answer.hasPrefix("HTTP/1.1 200"))
            await again.stop()
        }
    }

    @Test("A stalled service is answered 504001 by the deadline; after three the rest is refused at once")
    func stall() async throws {
        try await GatewayFixture.run { configuration in
            let text =
                "services: [identity, session, profile, mfa, audit]\npublic: []\noverrides: []\n"
                + "limits: [{service: mfa, path: /stall, deadline_ms: 200}]"
            configuration.routes = try RouteTable(RouteDocument.parse(yaml: text))
        } _: { gateway in
            for _ in 0..<3 {
                let start = ContinuousClock.now
                let answer = try await gateway.get("/mfa/api/v1/stall")
                #expect(answer.hasPrefix("HTTP/1.1 504 Gateway Timeout\r\n"))
                #expect(answer.contains("\"code\":504001"))
                #expect(ContinuousClock.now - start < .seconds(5))
            }
        }
    }

    @Test("A service that says nothing at all is answered 503003 within its silence, and used again when it speaks")
    func silence() async throws {
        try await GatewayFixture.run { configuration in
            configuration.lifeInterval = .milliseconds(50)
            configuration.silenceTimeout = .milliseconds(300)
        } _: { gateway in
            gateway.upstream.seen.isMute = true
            for path in ["x", "y", "z"] {
                let start = ContinuousClock.now
                let answer = try await gateway.get("/mfa/api/v1/\(path)")
                #expect(answer.hasPrefix("HTTP/1.1 503") && answer.contains("503003") && answer.contains("Retry-After"))
                #expect(ContinuousClock.now - start < .seconds(1.5))
            }
            gateway.upstream.seen.isMute = false
            let deadline = ContinuousClock.now + .seconds(3)
            while try await !gateway.get("/mfa/api/v1/x").hasPrefix("HTTP/1.1 200") {
                #expect(ContinuousClock.now < deadline)
                try await Task.sleep(for: .milliseconds(20))
            }
        }
    }

    @Test("A service that takes no more connections still answers what it has, however long it takes")
    func draining() async throws {
        try await GatewayFixture.run { configuration in
            configuration.lifeInterval = .milliseconds(20)
            configuration.silenceTimeout = .milliseconds(100)
        } _: { gateway in
            async let answer = gateway.get("/mfa/api/v1/slow")
            while gateway.upstream.seen.requests.isEmpty { try await Task.sleep(for: .milliseconds(2)) }
            try await gateway.upstream.channel.close()
            #expect(try await answer.hasPrefix("HTTP/1.1 200"))
            #expect(try await gateway.get("/mfa/api/v1/x").contains("503003"))
        }
    }

    @Test("A GET on a connection that the service has closed is sent once more; a POST never is")
    func staleConnection() async throws {
        try await GatewayFixture.run { gateway in
            // One request to open a connection, which the service drops without answering the next one.
            let client = try await RawClient.connect(port: gateway.port)
            try await client.send(Self.request("GET", "first"))
            #expect(try await client.receive().hasPrefix("HTTP/1.1 200"))
            try await client.send(Self.request("GET", "hangup"))
            let answers = try await client.receive(responses: 2)
            #expect(answers.contains("\"code\":503003"))
            #expect(gateway.upstream.seen.requests.filter { $0 == "GET /api/v1/hangup" }.count == 2)
            await client.close()

            let other = try await RawClient.connect(port: gateway.port)
            try await other.send(Self.request("GET", "first"))
            _ = try await other.receive()
            try await other.send(Self.request("POST", "hangup"))
            #expect(try await other.receive(responses: 2).contains("\"code\":503003"))
            #expect(gateway.upstream.seen.requests.filter { $0 == "POST /api/v1/hangup" }.count == 1)
            await other.close()
        }
    }

    @Test("A response that breaks off in the middle ends the client's connection, so that it is not taken for whole")
    func cutResponse() async throws {
        try await GatewayFixture.run { gateway in
            let client = try await RawClient.connect(port: gateway.port)
            try await client.send(Self.request("GET", "cut"))
            #expect(try await client.waitForClose())
            #expect(try await client.receive().hasSuffix("part"))
        }
    }

    @Test("A connection that says nothing, or too slowly, is closed")
    func slowClients() async throws {
        try await GatewayFixture.run { configuration in
            configuration.limits.headTimeout = .milliseconds(200)
        } _: { gateway in
            let silent = try await RawClient.connect(port: gateway.port)
            let slow = try await RawClient.connect(port: gateway.port)
            try await slow.send("GET /livez HTTP/1.1\r\nHost:")
            #expect(try await silent.waitForClose())
            #expect(try await slow.waitForClose())
        }
    }

    @Test("A body that does not arrive in time is answered 408, the connection ends, and the service is not blamed")
    func slowBody() async throws {
        try await GatewayFixture.run { configuration in
            let text =
                "services: [identity, session, profile, mfa, audit]\npublic: []\noverrides: []\n"
                + "limits: [{service: mfa, path: /late, deadline_ms: 200}]"
            configuration.routes = try RouteTable(RouteDocument.parse(yaml: text))
        } _: { gateway in
            // More often than a service may fail before it is left alone.
            var clients: [RawClient] = []
            for _ in 0..<4 {
                let client = try await RawClient.connect(port: gateway.port)
                try await client.send(
                    "POST /mfa/api/v1/late HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer good\r\n"
                        + "Content-Length: 10\r\n\r\nabc")
                clients.append(client)
            }
            for client in clients {
                let answer = try await client.receive()
                #expect(answer.hasPrefix("HTTP/1.1 408 Request Timeout\r\n"))
                #expect(answer.contains("\"code\":408001,\"error\":\"request_timeout\""))
                #expect(answer.contains("Connection: close\r\n"))
            }
            for client in clients { #expect(try await client.waitForClose(within: .seconds(5))) }
            #expect(try await gateway.get("/mfa/api/v1/x").hasPrefix("HTTP/1.1 200"))
        }
    }

    @Test("One connection too many is closed at once")
    func connectionLimit() async throws {
        try await GatewayFixture.run { configuration in
            configuration.limits.maximumConnections = 2
        } _: { gateway in
            let first = try await RawClient.connect(port: gateway.port)
            let second = try await RawClient.connect(port: gateway.port)
            try await first.send("GET /livez HTTP/1.1\r\nHost: g\r\n\r\n")
            try await second.send("GET /livez HTTP/1.1\r\nHost: g\r\n\r\n")
            _ = try await (first.receive(), second.receive())
            let third = try await RawClient.connect(port: gateway.port)
            #expect(try await third.waitForClose())
            await first.close()
            await second.close()
        }
    }

    @Test("One request too many to a service is answered 503001")
    func inFlightLimit() async throws {
        try await GatewayFixture.run { configuration in
            configuration.limits.maximumInFlightPerUpstream = 0
        } _: { gateway in
            let answer = try await gateway.get("/mfa/api/v1/x")
            #expect(answer.contains("\"code\":503001"))
            #expect(answer.contains("Retry-After"))
        }
    }

    @Test("Draining finishes what is under way, closes what rests, and accepts nothing new")
    func drain() async throws {
        let upstream = try await StubUpstream.start()
        let server = try GatewayFixture.server(try GatewayFixture.configuration(upstreamPort: upstream.port))
        let port = try await server.start().port ?? 0
        let resting = try await RawClient.connect(port: port)
        try await resting.send(Self.request("GET", "first"))
        _ = try await resting.receive()
        let busy = try await RawClient.connect(port: port)
        try await busy.send(
            "POST /mfa/api/v1/x HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer good\r\nContent-Length: 3\r\n\r\na")
        let deadline = ContinuousClock.now + .seconds(2)
        while upstream.seen.requests.count < 2, ContinuousClock.now < deadline {
            try await Task.sleep(for: .milliseconds(2))
        }
        async let stopped: Void = server.stop()
        #expect(try await resting.waitForClose())
        await #expect(throws: (any Error).self) { try await RawClient.connect(port: port) }
        try await busy.send("bc")
        let answer = try await busy.receive()
        #expect(answer.contains("body-bytes: 3"))
        #expect(answer.contains("Connection: close"))
        #expect(try await busy.waitForClose())
        await stopped
        await upstream.stop()
    }

    @Test(
        "While it drains it is red and still serves everybody, with the last answer on each connection; then it is gone"
    )
    func drainDelay() async throws {
        let upstream = try await StubUpstream.start()
        var configuration = try GatewayFixture.configuration(upstreamPort: upstream.port)
        configuration.limits.drainDelay = .milliseconds(1_500)
        let server = try GatewayFixture.server(configuration)
        let gateway = GatewayFixture(port: try await server.start().port ?? 0, upstream: upstream)
        let kept = try await RawClient.connect(port: gateway.port)
        try await kept.send(Self.request("GET", "first"))
        #expect(try await !kept.receive().contains("Connection: close"))

        async let stopped: Void = server.stop()
        let deadline = ContinuousClock.now + .seconds(1)
        var ready = ""
        repeat {
            ready = try await gateway.get("/readyz", token: nil)
        } while ready.hasPrefix("HTTP/1.1 200")
            && ContinuousClock.now < deadline
        #expect(ready.hasPrefix("HTTP/1.1 503"))
        // One who has not noticed yet, and one who comes now.
        try await kept.send(Self.request("POST", "second"))
        let last = try await kept.receive(responses: 2)
        #expect(last.contains("POST /api/v1/second") && last.contains("Connection: close"))
        #expect(try await kept.waitForClose())
        let late = try await gateway.get("/mfa/api/v1/late")
        #expect(late.hasPrefix("HTTP/1.1 200") && late.contains("Connection: close"))
        await stopped
        await #expect(throws: (any Error).self) { try await RawClient.connect(port: gateway.port) }
        await upstream.stop()
    }
}
