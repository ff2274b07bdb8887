import Foundation
import Gateway
import NIOCore
import Testing

@Suite("When a second service may answer")
struct FallbackTests {
    private static let routes = """
        services: [identity, session, profile, mfa, audit]
        public: [{service: session, path: /**}, {service: profile, path: /**}]
        overrides:
          - {service: session, path: /stall, to: session, fallback: identity, fallback_path: /second, fallback_after_ms: 200}
          - {service: session, path: /hangup, to: session, fallback: identity, fallback_path: /second}
          - {service: session, path: /busy, to: session, fallback: identity, fallback_path: /second}
          - {service: session, path: /declined, to: session, fallback: identity, fallback_path: /second}
          - {service: session, path: /both/stall, to: session, fallback: profile, fallback_path: /hangup, fallback_after_ms: 200}
        limits: []
        """

    private static func run(_ body: (GatewayFixture) async throws -> Void) async throws {
        try await GatewayFixture.run { configuration in
            configuration.routes = try RouteTable(RouteDocument.parse(yaml: routes))
        } _: {
            try await body($0)
        }
    }

    private static func post(_ path: String, bytes: Int) -> String {
        "POST \(path) HTTP/1.1\r\nHost: g\r\nContent-Length: \(bytes)\r\n\r\n" + String(repeating: "b", count: bytes)
    }

    @Test("Refresh goes to identity when nobody listens for session, whichever way it was asked")
    func refused() async throws {
        try await GatewayFixture.run { configuration in
            configuration.upstreams[1].replicas[0].port = 1
        } _: { gateway in
            for path in ["identity/api/v1/auth", "session/api/v1/auth", "bff/session-service/api/v1/sessions"] {
                for _ in 0..<4 {
                    let answer = try await gateway.exchange(Self.post("/\(path)/refresh", bytes: 321))
                    #expect(answer.hasPrefix("HTTP/1.1 200"))
                    #expect(answer.contains("POST /api/v1/auth/refresh"))
                    #expect(answer.contains("body-bytes: 321"))
                }
            }
            #expect(try await gateway.exchange(Self.post("/identity/api/v1/auth/logout", bytes: 2)).contains("503003"))
        }
    }

    @Test("A service that stalls has its time, one that hangs up none; the other gets the whole body")
    func silent() async throws {
        try await Self.run { gateway in
            for (path, bytes) in [("stall", 7), ("hangup", 65_536)] {
                let start = ContinuousClock.now
                let answer = try await gateway.exchange(Self.post("/session/api/v1/\(path)", bytes: bytes))
                #expect(answer.contains("POST /api/v1/second"))
                #expect(answer.contains("body-bytes: \(bytes)"))
                #expect(ContinuousClock.now - start < .seconds(1.5))
            }
        }
    }

    @Test("The second service gets what is left of the request's time, not all of it anew")
    func deadline() async throws {
        try await Self.run { gateway in
            let answer = try await gateway.exchange(Self.post("/session/api/v1/stall", bytes: 7))
            let line = answer.split(separator: "\n").first { $0.hasPrefix("X-Request-Deadline-Ms: ") }
            let left = Int(line?.dropFirst(23).trimmingCharacters(in: .whitespaces) ?? "") ?? 0
            // 49/50 of ten seconds less the 200 ms that the first one had.
            #expect((7_000...9_604).contains(left))
        }
    }

    @Test("Whoever says that nothing was done for a request has another asked, and that is told nobody")
    func declined() async throws {
        try await Self.run { gateway in
            let answer = try await gateway.exchange(Self.post("/session/api/v1/declined", bytes: 7))
            #expect(answer.hasPrefix("HTTP/1.1 200") && answer.contains("POST /api/v1/second"))
            #expect(answer.contains("body-bytes: 7"))
            // Where nobody else can be asked it is a 503 like any other.
            let alone = try await gateway.exchange(Self.post("/profile/api/v1/declined", bytes: 7))
            #expect(alone.hasPrefix("HTTP/1.1 503") && !alone.lowercased().contains("not-acted-on"))
        }
    }

    @Test(
        "Whatever else a service answers stands; a body too large to keep goes to one service only; two failures are a 503"
    )
    func bounds() async throws {
        try await Self.run { gateway in
            let busy = try await gateway.exchange(Self.post("/session/api/v1/busy", bytes: 3))
            #expect(busy.hasPrefix("HTTP/1.1 503") && busy.contains("POST /api/v1/busy"))
            let large = try await gateway.exchange(Self.post("/session/api/v1/hangup", bytes: 65_537))
            #expect(large.contains("503003"))
            let both = try await gateway.exchange(Self.post("/session/api/v1/both/stall", bytes: 3))
            #expect(both.contains("503003") && both.contains("Retry-After"))
            #expect(!gateway.upstream.seen.requests.contains("POST /api/v1/second"))
        }
    }

    @Test("A fallback that cannot be is refused at the start, in a sentence")
    func malformed() {
        for (fallback, path) in [("nobody", "/x"), ("identity", "/x/*"), ("identity", "x")] {
            let text =
                "services: [identity]\npublic: []\nlimits: []\noverrides: [{service: identity, path: /a, to: identity, "
                + "fallback: \(fallback), fallback_path: \(path)}]"
            #expect(throws: RouteError.self) { try RouteTable(RouteDocument.parse(yaml: text)) }
        }
    }
}
