import LocalStack
import NIOCore
import NIOHTTP1
import NIOPosix
import Recovery
import Testing

@Suite("The load's connections")
struct LoadConnectionsTests {
    /// Answers everything that it reads with the same bytes, or not at all; says how many connections were opened.
    final class Scripted: ChannelInboundHandler, Sendable {
        typealias InboundIn = ByteBuffer
        let answer: String
        let closes: Bool

        init(_ answer: String, closes: Bool = false) {
            self.answer = answer
            self.closes = closes
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            guard !answer.isEmpty || closes else { return }
            // Each connection says by its own port which one it is.
            let port = context.remoteAddress?.port ?? 0
            let text = answer.replacing("PORT", with: "\(port)")
            context.writeAndFlush(NIOAny(ByteBuffer(string: text)), promise: nil)
            if closes { context.close(promise: nil) }
        }
    }

    /// One request after the other to a server that does as told.
    static func ask(
        _ times: Int, _ server: @escaping @Sendable () -> any ChannelHandler, timeout: TimeAmount = .seconds(20)
    ) async throws -> [Result<LoadConnections.Answer, any Error>] {
        let listener = try await ProxyFixture.serve(server)
        let port = try #require(listener.localAddress?.port)
        let connections = LoadConnections(timeout: timeout)
        var results: [Result<LoadConnections.Answer, any Error>] = []
        for _ in 0..<times {
            do {
                results.append(
                    .success(try await connections.send(.GET, "http://127.0.0.1:\(port)/a?b", [:], nil)))
            } catch {
                results.append(.failure(error))
            }
        }
        await connections.close()
        try await listener.close()
        return results
    }

    static let length = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nx-port: PORT\r\n\r\nhello"
    static let chunked =
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nx-port: PORT\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"

    @Test("One connection serves one request after the other", arguments: [length, chunked])
    func keepAlive(answer: String) async throws {
        let answers = try await Self.ask(3) { Scripted(answer) }.map { try $0.get() }
        #expect(answers.map { String(buffer: $0.body) } == ["hello", "hello", "hello"])
        #expect(Set(answers.map { $0.head.headers["x-port"] }).count == 1)
    }

    @Test("A connection that its server closes is not used again")
    func closed() async throws {
        let closing = Self.length.replacing("\r\n\r\n", with: "\r\nconnection: close\r\n\r\n")
        let answers = try await Self.ask(3) { Scripted(closing, closes: true) }.map { try $0.get() }
        #expect(Set(answers.map { $0.head.headers["x-port"] }).count == 3)
    }

    @Test("Half an answer is none, and the next request has a connection of its own")
    func half() async throws {
        let torn = "HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nhello"
        let results = try await Self.ask(2) { Scripted(torn, closes: true) }
        #expect(results.count == 2)
        for result in results { #expect(throws: (any Error).self) { try result.get() } }
    }

    @Test("Whoever does not answer is waited for as long as told")
    func silent() async throws {
        let begin = ContinuousClock.now
        let results = try await Self.ask(1, { Scripted("") }, timeout: .milliseconds(500))
        #expect(throws: LoadConnections.Failure.self) { try results[0].get() }
        #expect((.milliseconds(500) ... .seconds(10)).contains(ContinuousClock.now - begin))
    }

    @Test("Where nobody listens the request fails at once")
    func refused() async throws {
        let connections = LoadConnections(timeout: .seconds(20))
        let port = try Ports.free()
        await #expect(throws: (any Error).self) {
            try await connections.send(.GET, "http://127.0.0.1:\(port)/", [:], nil)
        }
        await connections.close()
    }

    @Test("An address without a port is none")
    func address() async throws {
        let connections = LoadConnections(timeout: .seconds(20))
        await #expect(throws: LoadConnections.Failure.self) {
            try await connections.send(.GET, "https://example.org/", [:], nil)
        }
        await connections.close()
    }
}
