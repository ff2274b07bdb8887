import Foundation
import Gateway
import Logging
import MicroMiddleware
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// Accepts the token `good` and tells the others apart by name.
struct NamedTokens: AccessTokenVerifying {
    func verdict(on token: String) -> TokenVerdict {
        switch token {
        case "good": .valid
        case "expired": .expired
        case "revoked": .revoked
        default: .invalid
        }
    }
}

/// A gateway on a free port before one stub service, which plays all five.
struct GatewayFixture {
    let port: Int
    let upstream: StubUpstream

    static var routesPath: String {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        return root.appending(path: "configs/gateway/routes.yaml").path(percentEncoded: false)
    }

    static func routesYAML() throws -> String {
        try String(contentsOfFile: routesPath, encoding: .utf8)
    }

    /// - Parameter upstreamPort: one, or those of the replicas that every service then has.
    static func configuration(upstreamPort: Int...) throws -> GatewayConfiguration {
        let routes = try RouteTable(RouteDocument.parse(yaml: routesYAML()))
        let endpoints = routes.upstreams.flatMap { name in
            upstreamPort.map { UpstreamEndpoint(name: name, host: "127.0.0.1", port: $0) }
        }
        var configuration = try GatewayConfiguration(endpoints: endpoints, routes: routes)
        configuration.port = 0
        configuration.limits.tick = .milliseconds(20)
        configuration.limits.drainTimeout = .seconds(3)
        return configuration
    }

    /// What gateways write to; a task's own, since another parameter of ``run(documents:adjust:_:)`` makes this compiler crash.
    @TaskLocal static var logger = Logger(label: "gateway", factory: { _ in SwiftLogNoOpLogHandler() })

    static func server(
        _ configuration: GatewayConfiguration, group: MultiThreadedEventLoopGroup = .singleton,
        metrics: MetricsRegistry = MetricsRegistry(), documents: DocumentShelf = DocumentShelf()
    ) throws -> GatewayServer {
        let endpoints = OwnEndpoints(
            issuer: "https://authms.local", keySet: { "{\"keys\":[]}" }, metricsText: { "# none\n" }, isReady: { true },
            documents: documents)
        return try GatewayServer(
            configuration: configuration, verifier: NamedTokens(), endpoints: endpoints, metrics: metrics,
            group: group, logger: logger)
    }

    /// Runs `body` against a gateway and a stub service, and ends both.
    static func run(
        documents: DocumentShelf = DocumentShelf(), adjust: (inout GatewayConfiguration) throws -> Void = { _ in },
        _ body: (GatewayFixture) async throws -> Void
    ) async throws {
        let upstream = try await StubUpstream.start()
        var configuration = try configuration(upstreamPort: upstream.port)
        try adjust(&configuration)
        let server = try server(configuration, documents: documents)
        let address = try await server.start()
        let result: Result<Void, any Error>
        do {
            try await body(GatewayFixture(port: address.port ?? 0, upstream: upstream))
            result = .success(())
        } catch {
            result = .failure(error)
        }
        await server.stop()
        await upstream.stop()
        try result.get()
    }

    /// Sends raw bytes on a new connection and returns all that comes back until the connection closes, or until a
    /// complete answer with a length has come, but waits no longer than two seconds for it.
    func exchange(_ request: String, responses: Int = 1) async throws -> String {
        let client = try await RawClient.connect(port: port)
        try await client.send(request)
        let answer = try await client.receive(responses: responses)
        await client.close()
        return answer
    }

    func get(_ path: String, token: String? = "good", headers: [String] = []) async throws -> String {
        var lines = ["GET \(path) HTTP/1.1", "Host: gateway"] + headers
        if let token { lines.append("Authorization: Bearer \(token)") }
        return try await exchange(lines.joined(separator: "\r\n") + "\r\n\r\n")
    }
}

/// A client that writes bytes and reads bytes, so that a test can say things no HTTP client would.
struct RawClient: Sendable {
    let channel: any Channel
    private let collector: Collector

    static func connect(port: Int) async throws -> RawClient {
        let collector = Collector()
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(CollectingHandler(collector: collector))
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
        return RawClient(channel: channel, collector: collector)
    }

    func send(_ text: String) async throws {
        try await channel.writeAndFlush(ByteBuffer(string: text))
    }

    /// Waits for a number of complete responses with a length, or the end of the connection, at most two seconds.
    func receive(responses: Int = 1, within limit: Duration = .seconds(2)) async throws -> String {
        let deadline = ContinuousClock.now + limit
        while ContinuousClock.now < deadline {
            let (text, isClosed) = collector.state
            if isClosed || Self.completeResponses(in: text) >= responses { return text }
            try await Task.sleep(for: .milliseconds(2))
        }
        return collector.state.text
    }

    var isClosed: Bool { collector.state.isClosed }

    func waitForClose(within limit: Duration = .seconds(2)) async throws -> Bool {
        let deadline = ContinuousClock.now + limit
        while ContinuousClock.now < deadline, !isClosed { try await Task.sleep(for: .milliseconds(2)) }
        return isClosed
    }

    func close() async {
        try? await channel.close()
    }

    private static func completeResponses(in text: String) -> Int {
        var rest = Array(text.utf8)[...]
        var count = 0
        while let end = rest.firstRange(of: Array("\r\n\r\n".utf8)) {
            let head = String(decoding: rest[..<end.lowerBound], as: UTF8.self).lowercased()
            rest = rest[end.upperBound...]
            if head.hasPrefix("http/1.1 100") { continue }
            if head.contains("transfer-encoding: chunked") {
                guard let last = rest.firstRange(of: Array("0\r\n\r\n".utf8)) else { return count }
                rest = rest[last.upperBound...]
            } else if let line = head.split(separator: "\r\n").first(where: { $0.hasPrefix("content-length: ") }) {
                let length = Int(line.dropFirst(16)) ?? 0
                guard rest.count >= length else { return count }
                rest = rest.dropFirst(length)
            }
            count += 1
        }
        return count
    }
}

final class Collector: Sendable {
    private let inner = Mutex((bytes: [UInt8](), isClosed: false))

    var state: (text: String, isClosed: Bool) {
        inner.withLock { (String(decoding: $0.bytes, as: UTF8.self), $0.isClosed) }
    }

    func append(_ buffer: ByteBuffer) {
        inner.withLock { $0.bytes += Array(buffer.readableBytesView) }
    }

    func close() {
        inner.withLock { $0.isClosed = true }
    }
}

private final class CollectingHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let collector: Collector

    init(collector: Collector) {
        self.collector = collector
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        collector.append(unwrapInboundIn(data))
    }

    func channelInactive(context: ChannelHandlerContext) {
        collector.close()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
