import Foundation
import Gateway
import NIOCore
import Testing

@Suite("A request that two services may get, from a client that takes its time")
struct GatheringTests {
    private static let routes = """
        services: [identity, session, profile, mfa, audit]
        public: [{service: session, path: /**}]
        overrides:
          - {service: session, path: /x, to: session, fallback: identity, fallback_path: /second, fallback_after_ms: 250}
          - {service: session, path: /late, to: session, fallback: identity, fallback_path: /second, fallback_after_ms: 1000}
          - {service: session, path: /hangup, to: session, fallback: identity, fallback_path: /second}
          - {service: session, path: /stall, to: session, fallback: identity, fallback_path: /second, fallback_after_ms: 250}
        limits: [{service: session, path: /late, deadline_ms: 300}]
        """

    private static func run(_ body: (GatewayFixture) async throws -> Void) async throws {
        try await GatewayFixture.run { configuration in
            configuration.routes = try RouteTable(RouteDocument.parse(yaml: routes))
        } _: {
            try await body($0)
        }
    }

    private static func head(_ path: String, _ fields: String...) -> String {
        (["POST /session/api/v1/\(path) HTTP/1.1", "Host: g"] + fields).joined(separator: "\r\n") + "\r\n\r\n"
    }

    private static let lastChunk = "0\r\n\r\n"

    /// A body in chunks of at most a thousand bytes, without the last one, which ends it.
    private static func chunks(bytes: Int) -> String {
        var text = ""
        for start in stride(from: 0, to: bytes, by: 1_000) {
            let size = min(1_000, bytes - start)
            text += String(size, radix: 16) + "\r\n" + String(repeating: "b", count: size) + "\r\n"
        }
        return text
    }

    private static func millisecondsGiven(in answer: String) -> Int {
        let line = answer.split(separator: "\n").first { $0.hasPrefix("X-Request-Deadline-Ms: ") }
        return Int(line?.dropFirst(23).trimmingCharacters(in: .whitespaces) ?? "") ?? 0
    }

    @Test(
        "The first service hears of it when it is complete, and has all of its time then",
        arguments: ["Content-Length: 7", "Transfer-Encoding: chunked"])
    func slow(framing: String) async throws {
        try await Self.run { gateway in
            let client = try await RawClient.connect(port: gateway.port)
            let isChunked = framing.hasSuffix("chunked")
            try await client.send(Self.head("x", framing) + (isChunked ? "3\r\nabc\r\n" : "abc"))
            // Longer than the first service is waited for.
            try await Task.sleep(for: .milliseconds(400))
            #expect(gateway.upstream.seen.requests.isEmpty)
            try await client.send(isChunked ? "4\r\ndefg\r\n0\r\n\r\n" : "defg")
            let answer = try await client.receive()
            #expect(answer.hasPrefix("HTTP/1.1 200") && answer.contains("POST /api/v1/x"))
            #expect(answer.contains("body-bytes: 7"))
            #expect(Self.millisecondsGiven(in: answer) == 245)
            await client.close()
        }
    }

    @Test("The second service comes as long after the end of a slow body as after that of a quick one")
    func slowAndStalled() async throws {
        try await Self.run { gateway in
            let client = try await RawClient.connect(port: gateway.port)
            try await client.send(Self.head("stall", "Content-Length: 7") + "abc")
            try await Task.sleep(for: .milliseconds(400))
            let start = ContinuousClock.now
            try await client.send("defg")
            let answer = try await client.receive()
            #expect(ContinuousClock.now - start >= .milliseconds(240))
            #expect(answer.contains("POST /api/v1/second") && answer.contains("body-bytes: 7"))
            #expect((7_000...9_555).contains(Self.millisecondsGiven(in: answer)))
            await client.close()
        }
    }

    @Test("A body that does not say how large it is has a second service while it is small enough to keep")
    func chunked() async throws {
        try await Self.run { gateway in
            let head = Self.head("hangup", "Transfer-Encoding: chunked")
            let large = try await gateway.exchange(head + Self.chunks(bytes: 65_537) + Self.lastChunk)
            #expect(large.contains("503003"))
            for bytes in [7, 65_536] {
                let answer = try await gateway.exchange(head + Self.chunks(bytes: bytes) + Self.lastChunk)
                #expect(answer.contains("POST /api/v1/second") && answer.contains("body-bytes: \(bytes)"))
            }
        }
    }

    @Test("Past that it goes to the first service as it comes, with the time of any other request")
    func large() async throws {
        try await Self.run { gateway in
            let client = try await RawClient.connect(port: gateway.port)
            try await client.send(Self.head("x", "Transfer-Encoding: chunked") + Self.chunks(bytes: 100_000))
            let deadline = ContinuousClock.now + .seconds(2)
            while gateway.upstream.seen.bodyBytes < 100_000, ContinuousClock.now < deadline {
                try await Task.sleep(for: .milliseconds(2))
            }
            #expect(gateway.upstream.seen.bodyBytes == 100_000)
            // Longer than the first service would be waited for.
            try await Task.sleep(for: .milliseconds(400))
            try await client.send(Self.lastChunk)
            let answer = try await client.receive()
            #expect(answer.hasPrefix("HTTP/1.1 200") && answer.contains("body-bytes: 100000"))
            #expect((7_000...9_800).contains(Self.millisecondsGiven(in: answer)))
            await client.close()
        }
    }

    @Test("A body that does not arrive in the route's time is answered 408, and no service hears of it")
    func neverComplete() async throws {
        try await Self.run { gateway in
            let client = try await RawClient.connect(port: gateway.port)
            let start = ContinuousClock.now
            try await client.send(Self.head("late", "Content-Length: 7") + "abc")
            let answer = try await client.receive()
            #expect(answer.hasPrefix("HTTP/1.1 408") && answer.contains("Connection: close\r\n"))
            #expect(ContinuousClock.now - start >= .milliseconds(280))
            #expect(gateway.upstream.seen.requests.isEmpty)
            await client.close()
        }
    }

    @Test("A client that goes away in the midst of its body leaves nothing behind")
    func goneClient() async throws {
        try await Self.run { gateway in
            for _ in 0..<4 {
                let client = try await RawClient.connect(port: gateway.port)
                try await client.send(Self.head("x", "Content-Length: 7") + "abc")
                await client.close()
            }
            let answer = try await gateway.exchange(Self.head("x", "Content-Length: 1") + "b")
            #expect(answer.hasPrefix("HTTP/1.1 200"))
            #expect(gateway.upstream.seen.requests == ["POST /api/v1/x"])
        }
    }

    @Test("Requests in a row on one connection are answered in a row")
    func pipelined() async throws {
        try await Self.run { gateway in
            let client = try await RawClient.connect(port: gateway.port)
            let get = "GET /session/api/v1/y HTTP/1.1\r\nHost: g\r\n\r\n"
            try await client.send(
                Self.head("x", "Content-Length: 3") + "abc" + Self.head("x", "Transfer-Encoding: chunked")
                    + Self.chunks(bytes: 1_500) + Self.lastChunk + get + Self.head("x", "Content-Length: 5") + "ab")
            let first = try await client.receive(responses: 3)
            #expect(first.contains("body-bytes: 3") && first.contains("body-bytes: 1500"))
            try await client.send("cde")
            let all = try await client.receive(responses: 4)
            #expect(all.contains("body-bytes: 5"))
            #expect(
                gateway.upstream.seen.requests == [
                    "POST /api/v1/x", "POST /api/v1/x", "GET /api/v1/y", "POST /api/v1/x",
                ])
            await client.close()
        }
    }

    @Test("A client that asks before it sends is told to continue before any service is asked")
    func expectContinue() async throws {
        try await Self.run { gateway in
            let client = try await RawClient.connect(port: gateway.port)
            try await client.send(Self.head("x", "Content-Length: 3", "Expect: 100-continue"))
            let deadline = ContinuousClock.now + .seconds(2)
            var answer = ""
            while !answer.hasPrefix("HTTP/1.1 100 Continue\r\n\r\n"), ContinuousClock.now < deadline {
                answer = try await client.receive(within: .milliseconds(20))
            }
            #expect(answer.hasPrefix("HTTP/1.1 100 Continue\r\n\r\n"))
            #expect(gateway.upstream.seen.requests.isEmpty)
            try await client.send("abc")
            let whole = try await client.receive()
            #expect(whole.hasPrefix("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK"))
            await client.close()
        }
    }
}
