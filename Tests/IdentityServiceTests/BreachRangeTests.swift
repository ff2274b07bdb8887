import ConnectionKit
import Contracts
import Crypto
import Foundation
import IdentityService
import Logging
import MicroMiddleware
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization
import Testing

@Suite("A range server of leaked passwords")
struct BreachRangeTests {
    let password = "an unheard-of horse \(UUID())"
    let metrics = MetricsRegistry()

    @Test("A password that it knows is refused, by the name of its field", arguments: ["password", "new_password"])
    func known(field: String) async throws {
        try await RangeServer.run(answering(padding + ["\(suffix):7"])) { server in
            let choice = PasswordChoice(screening: try screen(server.url), hasher: CountingHasher())
            let error = await #expect(throws: IdentityError.self) {
                _ = try await choice.accept(
                    password, policy: PasswordPolicy(), tenantID: DefaultTenant.id, field: field)
            }
            let refused = try #require(error?.apiError)
            #expect(refused.code.status == 422 && refused.violations.map(\.field) == [field])
        }
        #expect(unanswered == 0)
    }

    @Test("Whether it writes large digits or small ones, and whatever ends its lines", arguments: ["\n", "\r\n"])
    func spelling(end: String) async throws {
        let body = (padding + ["\(suffix):1"]).joined(separator: end).lowercased()
        try await RangeServer.run(.answer(.ok, body)) { server in
            let screen = try screen(server.url)
            #expect(await screen.isKnown(password))
        }
    }

    @Test("What it does not know is accepted: padding, another suffix, and lines that are none")
    func unknown() async throws {
        let other = "0" + suffix.dropFirst()
        let lines =
            padding + ["\(suffix):0", "\(other == suffix ? "1" + suffix.dropFirst() : other):9", suffix, ":", ""]
        try await RangeServer.run(answering(lines)) { server in
            let screen = try screen(server.url)
            #expect(await !screen.isKnown(password))
        }
        #expect(unanswered == 0)
    }

    @Test("Five digits of the hash are all that it is told")
    func told() async throws {
        try await RangeServer.run(answering(padding)) { server in
            _ = try await screen(server.url).isKnown(password)
            let seen = server.requests
            #expect(seen.count == 1)
            let request = try #require(seen.first)
            #expect(request.head.method == .GET && request.head.uri == "/range/\(digest.prefix(5))")
            #expect(request.head.headers.first(name: "Add-Padding") == "true" && request.bodyBytes == 0)
            let said = "\(request.head)".uppercased()
            #expect(!said.contains(digest.prefix(6)) && !said.contains(password.uppercased()))
        }
    }

    @Test(
        "While it does not answer, in whole and in time, a password passes and is counted",
        arguments: [
            RangeServer.Manner.answer(.serviceUnavailable, ""), .stall, .stallInBody, .hangUp,
            .endless,
        ])
    func unanswering(manner: RangeServer.Manner) async throws {
        // What came of an answer that does not end would be enough.
        try await RangeServer.run(manner, first: "\(suffix):7\r\n") { server in
            let screen = try screen(server.url)
            let start = ContinuousClock.now
            #expect(await !screen.isKnown(password))
            let took = start.duration(to: .now)
            #expect(took < PasswordScreen.patience + .seconds(10), "it took \(took)")
        }
        #expect(unanswered == 1)
    }

    @Test("While it is away a password passes and is counted, and a common one is still refused")
    func away() async throws {
        let port = try await RangeServer.run(answering([])) { $0.port }
        let screen = try screen("http://127.0.0.1:\(port)/range")
        #expect(await !screen.isKnown(password))
        #expect(unanswered == 1)
        #expect(await screen.isKnown("password1"))
        #expect(unanswered == 1, "nobody was asked")
    }

    // MARK: - Help

    private var digest: String {
        Insecure.SHA1.hash(data: Data(password.utf8)).map { String(format: "%02X", $0) }.joined()
    }
    private var suffix: String { String(digest.dropFirst(5)) }
    /// As a server pads a short range: suffixes of nothing.
    private var padding: [String] { (1...3).map { String(format: "%035lX:0", $0) } }

    private var unanswered: Int64 { metrics.counter("authms_breach_range_unanswered_total").value }

    private func answering(_ lines: [String]) -> RangeServer.Manner {
        .answer(.ok, lines.joined(separator: "\r\n"))
    }

    private func screen(_ url: String) throws -> PasswordScreen {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        return PasswordScreen(
            common: try CommonPasswords(file: root.appending(path: "configs/passwords/common.sha1-40").path()),
            context: ContextWords([]), rangeURL: url, metrics: metrics, logger: Logger(label: "test"))
    }
}

/// A server of the range protocol, on a port of its own.
struct RangeServer: Sendable {
    enum Manner: Sendable {
        case answer(HTTPResponseStatus, String)
        /// Takes a request and says nothing.
        case stall
        /// Begins its answer and does not go on.
        case stallInBody
        /// Sends more than any range holds.
        case endless
        /// Closes instead of answering.
        case hangUp
    }

    struct Asked: Sendable {
        var head: HTTPRequestHead
        var bodyBytes: Int
    }

    private let channel: any Channel
    private let seen: Seen

    var port: Int { channel.localAddress?.port ?? 0 }
    var url: String { "http://127.0.0.1:\(port)/range" }
    var requests: [Asked] { seen.requests.withLock { $0 } }

    /// - Parameter first: what it sends before it stalls.
    static func run<Answer>(
        _ manner: Manner, first: String = "", _ body: (RangeServer) async throws -> Answer
    ) async throws -> Answer {
        let seen = Seen()
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let sync = channel.pipeline.syncOperations
                    try sync.configureHTTPServerPipeline()
                    try sync.addHandler(RangeHandler(manner, first: first, seen: seen))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let result: Result<Answer, any Error>
        do {
            result = .success(try await body(RangeServer(channel: channel, seen: seen)))
        } catch {
            result = .failure(error)
        }
        try await channel.close()
        return try result.get()
    }

    fileprivate final class Seen: Sendable {
        let requests = Mutex<[Asked]>([])
    }
}

private final class RangeHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let manner: RangeServer.Manner
    private let first: String
    private let seen: RangeServer.Seen
    private var asked: RangeServer.Asked?

    init(_ manner: RangeServer.Manner, first: String, seen: RangeServer.Seen) {
        self.manner = manner
        self.first = first
        self.seen = seen
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): asked = RangeServer.Asked(head: head, bodyBytes: 0)
        case .body(let part): asked?.bodyBytes += part.readableBytes
        case .end:
            if let asked { seen.requests.withLock { $0.append(asked) } }
            answer(context)
        }
    }

    private func answer(_ context: ChannelHandlerContext) {
        switch manner {
        case .stall: return
        case .hangUp: context.close(promise: nil)
        case .stallInBody:
            write(.ok, length: first.utf8.count + 100, first, context)
            context.flush()
        case .endless:
            let text = first + String(repeating: "0", count: 1_048_577)
            write(.ok, length: text.utf8.count, text, context)
            context.flush()
        case .answer(let status, let text):
            write(status, length: text.utf8.count, text, context)
            let channel = context.channel
            context.writeAndFlush(wrapOutboundOut(.end(nil))).whenComplete { _ in channel.close(promise: nil) }
        }
    }

    private func write(
        _ status: HTTPResponseStatus, length: Int, _ text: String, _ context: ChannelHandlerContext
    ) {
        // Another test's server may have the port next: no connection is to be kept for it.
        let headers: HTTPHeaders = ["Content-Length": "\(length)", "Connection": "close"]
        let head = HTTPResponseHead(version: .http1_1, status: status, headers: headers)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: text)))), promise: nil)
    }
}
