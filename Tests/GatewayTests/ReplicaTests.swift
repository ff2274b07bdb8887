import Foundation
import Gateway
import NIOCore
import Testing

@Suite("A service with two replicas")
struct ReplicaTests {
    /// A gateway before two stubs, each of which is a replica of every service.
    private static func run(
        adjust: (inout GatewayConfiguration) throws -> Void = { _ in },
        _ body: (GatewayFixture, StubUpstream, StubUpstream) async throws -> Void
    ) async throws {
        let (first, second) = (try await StubUpstream.start(), try await StubUpstream.start())
        var configuration = try GatewayFixture.configuration(upstreamPort: first.port, second.port)
        configuration.lifeInterval = .milliseconds(50)
        configuration.probeInterval = .milliseconds(50)
        try adjust(&configuration)
        let server = try GatewayFixture.server(configuration)
        let address = try await server.start()
        let result: Result<Void, any Error>
        do {
            try await body(GatewayFixture(port: address.port ?? 0, upstream: first), first, second)
            result = .success(())
        } catch {
            result = .failure(error)
        }
        await server.stop()
        await first.stop()
        await second.stop()
        try result.get()
    }

    private static func post(_ path: String) -> String {
        "POST /mfa/api/v1/\(path) HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer good\r\nContent-Length: 3\r\n\r\nabc"
    }

    private static func wait(_ what: String, _ condition: () async throws -> Bool) async throws {
        let deadline = ContinuousClock.now + .seconds(5)
        while try await !condition() {
            guard ContinuousClock.now < deadline else {
                Issue.record("not in time: \(what)")
                return
            }
            try await Task.sleep(for: .milliseconds(10))
        }
    }

    @Test("Both get requests")
    func shared() async throws {
        try await Self.run { gateway, first, second in
            for number in 0..<20 {
                let answer = try await gateway.get("/mfa/api/v1/\(number)")
                #expect(answer.hasPrefix("HTTP/1.1 200"))
            }
            #expect(first.seen.requests.count >= 5)
            #expect(second.seen.requests.count >= 5)
        }
    }

    @Test("One that is gone costs nobody a request, whatever the method, and is used again when it is back")
    func gone() async throws {
        try await Self.run { gateway, first, second in
            let port = second.port
            await second.stop()
            for number in 0..<30 {
                let answer = try await gateway.exchange(Self.post("\(number)"))
                #expect(answer.hasPrefix("HTTP/1.1 200"))
                #expect(answer.contains("body-bytes: 3"))
            }
            #expect(first.seen.requests.count == 30)
            let again = try await StubUpstream.start(port: port)
            try await Self.wait("the replica that is back gets a request") {
                let answer = try await gateway.get("/mfa/api/v1/x")
                #expect(answer.hasPrefix("HTTP/1.1 200"))
                return !again.seen.requests.isEmpty
            }
            await again.stop()
        }
    }

    @Test("One that closes its connections, since it is about to stop, gets nothing while the other is there")
    func leaving() async throws {
        try await Self.run { gateway, first, second in
            for number in 0..<10 { _ = try await gateway.get("/mfa/api/v1/\(number)") }
            second.seen.isLeaving = true
            // Either the probe or an answer tells.
            for number in 0..<30 {
                #expect(try await gateway.exchange(Self.post("before\(number)")).hasPrefix("HTTP/1.1 200"))
            }
            try await Self.wait("it is noticed") {
                let before = second.seen.requests.count
                for number in 0..<6 { _ = try await gateway.get("/mfa/api/v1/\(number)") }
                return second.seen.requests.count == before
            }
            first.seen.isLeaving = true
            for number in 0..<10 {
                #expect(try await gateway.exchange(Self.post("both\(number)")).hasPrefix("HTTP/1.1 200"))
            }
            second.seen.isLeaving = false
            let before = second.seen.requests.count
            try await Self.wait("it is used again") {
                _ = try await gateway.get("/mfa/api/v1/x")
                return second.seen.requests.count > before + 5
            }
        }
    }

    @Test("One that is not ready gets requests only when the other is not ready either")
    func unready() async throws {
        try await Self.run { gateway, first, second in
            second.seen.isUnready = true
            try await Self.wait("health tells") {
                try await gateway.get("/health", token: nil).contains(
                    "\"mfa\":{\"status\":\"degraded\",\"replicas\":2,\"ready\":1}")
            }
            try await Self.wait("it gets nothing") {
                let before = second.seen.requests.count
                for number in 0..<6 { _ = try await gateway.get("/mfa/api/v1/\(number)") }
                return second.seen.requests.count == before
            }
            first.seen.isUnready = true
            for number in 0..<10 {
                #expect(try await gateway.exchange(Self.post("\(number)")).hasPrefix("HTTP/1.1 200"))
            }
        }
    }

    @Test("A read that one of them drops is answered by the other; what may have been done is not done twice")
    func dropped() async throws {
        try await Self.run { gateway, first, second in
            second.seen.isDropping = true
            for number in 0..<2 { #expect(try await gateway.get("/mfa/api/v1/\(number)").hasPrefix("HTTP/1.1 200")) }
            first.seen.isDropping = true
            let answer = try await gateway.exchange(Self.post("once"))
            #expect(answer.contains("\"code\":503003"))
            #expect((first.seen.requests + second.seen.requests).count { $0 == "POST /api/v1/once" } == 1)
        }
    }

    @Test("Sending again adds a tenth to the load and no more")
    func budget() async throws {
        try await GatewayFixture.run { gateway in
            let request = { (path: String) in
                "GET /mfa/api/v1/\(path) HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer good\r\n\r\n"
            }
            for _ in 0..<30 {
                let client = try await RawClient.connect(port: gateway.port)
                try await client.send(request("first"))
                #expect(try await client.receive().hasPrefix("HTTP/1.1 200"))
                try await client.send(request("hangup"))
                #expect(try await client.receive(responses: 2).contains("\"code\":503003"))
                await client.close()
            }
            let count = gateway.upstream.seen.requests.count { $0 == "GET /api/v1/hangup" }
            // A tenth of sixty requests, and what a few event loops have to spare at the start.
            #expect(count > 30 && count <= 42)
        }
    }
}
