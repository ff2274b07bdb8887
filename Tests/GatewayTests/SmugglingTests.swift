import Foundation
import Gateway
import Testing

@Suite("Requests that can be read in two ways")
struct SmugglingTests {
    private static let auth = "Host: g\r\nAuthorization: Bearer good\r\n"

    @Test(
        "An ambiguous or malformed request is answered 400 and the connection ends",
        arguments: [
            (
                "a length and chunks",
                "POST /mfa/api/v1/x HTTP/1.1\r\n\(auth)Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
            ),
            (
                "chunks and a length",
                "POST /mfa/api/v1/x HTTP/1.1\r\n\(auth)Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n"
            ),
            ("two lengths", "POST /mfa/api/v1/x HTTP/1.1\r\n\(auth)Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcd"),
            (
                "two equal lengths",
                "POST /mfa/api/v1/x HTTP/1.1\r\n\(auth)Content-Length: 4\r\nContent-Length: 4\r\n\r\nabcd"
            ),
            ("a list of lengths", "POST /mfa/api/v1/x HTTP/1.1\r\n\(auth)Content-Length: 4, 4\r\n\r\nabcd"),
            ("a signed length", "POST /mfa/api/v1/x HTTP/1.1\r\n\(auth)Content-Length: +4\r\n\r\nabcd"),
            (
                "another coding",
                "POST /mfa/api/v1/x HTTP/1.1\r\n\(auth)Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"
            ),
            (
                "chunked twice",
                "POST /mfa/api/v1/x HTTP/1.1\r\n\(auth)Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
            ),
            ("an unknown coding", "POST /mfa/api/v1/x HTTP/1.1\r\n\(auth)Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
            ("a folded header", "GET /mfa/api/v1/x HTTP/1.1\r\n\(auth)X-A: 1\r\n folded\r\n\r\n"),
            ("a space before the colon", "GET /mfa/api/v1/x HTTP/1.1\r\n\(auth)X-A : 1\r\n\r\n"),
            ("a control in a header", "GET /mfa/api/v1/x HTTP/1.1\r\n\(auth)X-A: a\u{1}b\r\n\r\n"),
            ("no host", "GET /mfa/api/v1/x HTTP/1.1\r\nAuthorization: Bearer good\r\n\r\n"),
            ("two hosts", "GET /mfa/api/v1/x HTTP/1.1\r\n\(auth)Host: h\r\n\r\n"),
            ("two tokens", "GET /mfa/api/v1/x HTTP/1.1\r\n\(auth)Authorization: Bearer bad\r\n\r\n"),
            ("no version", "GET /mfa/api/v1/x\r\n\r\n"),
            ("garbage", "\u{16}\u{3}\u{1}hello\r\n\r\n"),
            ("a dot segment", "GET /mfa/api/v1/../v1/x HTTP/1.1\r\n\(auth)Connection: close\r\n\r\n"),
            ("an unknown expectation", "GET /mfa/api/v1/x HTTP/1.1\r\n\(auth)Expect: tea\r\n\r\n"),
        ])
    func refused(what: String, request: String) async throws {
        try await GatewayFixture.run { gateway in
            let client = try await RawClient.connect(port: gateway.port)
            try await client.send(request)
            #expect(try await client.waitForClose(), "the connection ends after \(what)")
            let answer = try await client.receive()
            #expect(answer.hasPrefix("HTTP/1.1 400 Bad Request\r\n"), "\(what): \(answer)")
            #expect(answer.contains("\"code\":400001"))
            #expect(gateway.upstream.seen.requests.isEmpty)
        }
    }

    @Test(
        "A bad chunk breaks the request off, and nothing after it is taken for a request",
        arguments: ["zz\r\nabc\r\n", "3\r\nabcde\r\n", "-1\r\n\r\n", "3;\nabc\r\n", "FFFFFFFFFFFFFFFFF\r\nabc\r\n"])
    func badChunk(chunk: String) async throws {
        try await GatewayFixture.run { gateway in
            let client = try await RawClient.connect(port: gateway.port)
            try await client.send(
                "POST /mfa/api/v1/x HTTP/1.1\r\n\(Self.auth)Transfer-Encoding: chunked\r\n\r\n\(chunk)"
                    + "GET /mfa/api/v1/smuggled HTTP/1.1\r\n\(Self.auth)\r\n")
            #expect(try await client.waitForClose())
            #expect(!gateway.upstream.seen.requests.contains { $0.contains("smuggled") })
        }
    }

    @Test("A head that is too large is refused, in bytes and in fields")
    func largeHead() async throws {
        try await GatewayFixture.run { gateway in
            let field = "X-A: \(String(repeating: "a", count: 40_000))\r\n"
            let fields = (0..<200).map { "X-\($0): 1\r\n" }.joined()
            let target = "/mfa/api/v1/\(String(repeating: "a", count: 9_000))"
            for request in [
                "GET /mfa/api/v1/x HTTP/1.1\r\n\(Self.auth)\(field)\r\n",
                "GET /mfa/api/v1/x HTTP/1.1\r\n\(Self.auth)\(fields)\r\n", "GET \(target) HTTP/1.1\r\n\(Self.auth)\r\n",
            ] {
                let answer = try await gateway.exchange(request)
                #expect(answer.hasPrefix("HTTP/1.1 400"))
            }
            #expect(gateway.upstream.seen.requests.isEmpty)
        }
    }
}
