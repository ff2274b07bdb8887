import Foundation
import Gateway
import Logging
import MicroMiddleware
import Synchronization
import Testing

@Suite("Who the client is, behind a balancer")
struct TrustedProxyTests {
    private static func ranges(_ texts: String...) throws -> [AddressRange] {
        try texts.map { try #require(AddressRange($0)) }
    }

    @Test(
        "Of what a trusted proxy says the rightmost address that is not trusted is the client",
        arguments: [
            ("203.0.113.7", "203.0.113.7"),
            ("6.6.6.6, 203.0.113.7", "203.0.113.7"),
            ("6.6.6.6, 203.0.113.7, 10.1.2.3,\t127.0.0.1", "203.0.113.7"),
            ("rubbish, 203.0.113.7", "203.0.113.7"),
            ("10.0.0.9, 10.0.0.1", "10.0.0.9"),
            ("2001:DB8:0:0::1", "2001:db8::1"),
            ("::ffff:203.0.113.7, ::ffff:10.0.0.1", "203.0.113.7"),
            ("203.0.113.7, rubbish", nil),
            ("203.0.113.7, rubbish, 10.0.0.1", nil),
            ("203.0.113.7:4711", nil), ("[2001:db8::1]", nil), ("fe80::1%eth0", nil), ("unknown", nil),
            ("0x7f.1", nil), ("010.1.1.1", nil), ("203.0.113", nil), ("203.0.113.7,", nil), ("", nil),
        ] as [(String, String?)])
    func client(forwardedFor: String, expected: String?) throws {
        let proxies = TrustedProxies(try Self.ranges("127.0.0.1", "10.0.0.0/8"))
        #expect(proxies.client(forwardedFor: forwardedFor) == expected)
    }

    @Test("A peer is trusted when a range holds it")
    func peers() throws {
        let proxies = TrustedProxies(try Self.ranges("192.0.2.128/25", "fd00::/8", "2001:db8::1"))
        for peer in ["192.0.2.128", "192.0.2.255", "::ffff:192.0.2.200", "fdff::1", "2001:db8::1"] {
            #expect(proxies.contains(peer: peer), "\(peer) is trusted")
        }
        for peer in ["192.0.2.127", "192.0.3.128", "fe00::1", "2001:db8::2", "::", "unknown", ""] {
            #expect(!proxies.contains(peer: peer), "\(peer) is not trusted")
        }
        let all = TrustedProxies(try Self.ranges("0.0.0.0/0"))
        #expect(all.contains(peer: "203.0.113.7"))
        #expect(!all.contains(peer: "2001:db8::1"), "every IPv4 address is not every address")
        #expect(!TrustedProxies([]).contains(peer: "127.0.0.1"))
    }

    @Test("The setting is a list of ranges; one that cannot be read stops the gateway")
    func setting() throws {
        let read = { text in
            try ServiceSettings.fixed(service: "gateway", ["gateway.trusted_proxies": text])
                .value(.gatewayTrustedProxies)
        }
        #expect(try read("10.0.0.0/8, fd00::/8") == Self.ranges("10.0.0.0/8", "fd00::/8"))
        #expect(try ServiceSettings.fixed(service: "gateway", [:]).value(.gatewayTrustedProxies).isEmpty)
        #expect(throws: ConfigurationError.self) { try read("10.0.0.0/8,loadbalancer") }
    }

    @Test("A service hears of the client from a trusted proxy, and by no other word than that")
    func trusted() async throws {
        try await GatewayFixture.run { configuration in
            configuration.trustedProxies = try Self.ranges("127.0.0.0/8")
        } _: { gateway in
            // A client that names itself, and the balancer that adds a line of its own.
            let answer = try await gateway.get(
                "/mfa/api/v1/x",
                headers: [
                    "X-Forwarded-For: 6.6.6.6", "X-Forwarded-For: 203.0.113.7", "X-Forwarded-Proto: https",
                    "X-Forwarded-Host: evil.test", "X-Real-IP: 6.6.6.6", "Forwarded: for=6.6.6.6",
                ])
            let lines = answer.split(whereSeparator: \.isNewline)
            #expect(lines.contains("X-Forwarded-For: 203.0.113.7"))
            #expect(lines.contains("X-Forwarded-Proto: https"))
            #expect(lines.contains { $0.hasPrefix("Strict-Transport-Security:") }, "the client speaks TLS")
            #expect(!answer.contains("6.6.6.6"))
            #expect(!answer.contains("evil.test"))

            for headers in [[], ["X-Forwarded-For: rubbish", "X-Forwarded-Proto: gopher"]] {
                let answer = try await gateway.get("/mfa/api/v1/x", headers: headers)
                let lines = answer.split(whereSeparator: \.isNewline)
                #expect(lines.contains("X-Forwarded-For: 127.0.0.1"))
                #expect(lines.contains("X-Forwarded-Proto: http"))
                #expect(!answer.contains("Strict-Transport-Security"))
            }
        }
    }

    @Test("Nobody else is believed")
    func untrusted() async throws {
        try await GatewayFixture.run { configuration in
            configuration.trustedProxies = try Self.ranges("10.0.0.0/8")
        } _: { gateway in
            let answer = try await gateway.get(
                "/mfa/api/v1/x", headers: ["X-Forwarded-For: 203.0.113.7", "X-Forwarded-Proto: https"])
            let lines = answer.split(whereSeparator: \.isNewline)
            #expect(lines.contains("X-Forwarded-For: 127.0.0.1"))
            #expect(lines.contains("X-Forwarded-Proto: http"))
            #expect(!answer.contains("203.0.113.7"))
            #expect(!answer.contains("Strict-Transport-Security"))
        }
    }

    @Test("A balancer that nobody has named is told of once, by the setting that it takes")
    func unnamed() async throws {
        let lines = Mutex<[String]>([])
        let sink = LogSink { line in lines.withLock { $0.append(String(decoding: line, as: UTF8.self)) } }
        let warnings = { lines.withLock { $0.filter { $0.contains("GATEWAY_TRUSTED_PROXIES") } } }
        let logger = Logger(label: "gateway") { _ in JSONLogHandler(service: "gateway", level: .warning, sink: sink) }
        try await GatewayFixture.$logger.withValue(logger) {
            try await GatewayFixture.run { gateway in
                _ = try await gateway.get("/mfa/api/v1/x", headers: ["X-Forwarded-Proto: https"])
                #expect(warnings().isEmpty)
                for _ in 0..<3 { _ = try await gateway.get("/mfa/api/v1/x", headers: ["X-Forwarded-For: 203.0.113.7"]) }
                #expect(warnings().count == 1 && warnings().first?.contains("127.0.0.1") == true)
            }
            lines.withLock { $0 = [] }
            try await GatewayFixture.run { configuration in
                configuration.trustedProxies = try Self.ranges("127.0.0.1")
            } _: { gateway in
                _ = try await gateway.get("/mfa/api/v1/x", headers: ["X-Forwarded-For: 203.0.113.7"])
                #expect(warnings().isEmpty)
            }
        }
    }

    @Test("What one request of a balancer's connection says of its client holds for that request alone")
    func keptAlive() async throws {
        try await GatewayFixture.run { configuration in
            configuration.trustedProxies = try Self.ranges("127.0.0.1")
        } _: { gateway in
            let head = "GET /mfa/api/v1/x HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer good\r\n"
            let answer = try await gateway.exchange(
                "\(head)X-Forwarded-For: 203.0.113.7\r\n\r\n\(head)\r\n\(head)X-Forwarded-For: 203.0.113.8\r\n\r\n",
                responses: 3)
            let said = answer.split(whereSeparator: \.isNewline).filter { $0.hasPrefix("X-Forwarded-For") }
            #expect(
                said == [
                    "X-Forwarded-For: 203.0.113.7", "X-Forwarded-For: 127.0.0.1", "X-Forwarded-For: 203.0.113.8",
                ])
        }
    }
}
