import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// A service that tells what it was asked: `METHOD uri`, its headers and the length of the body, line by line.
///
/// What it does depends on the last segment of the path: `…/stall` never answers, `…/cut` breaks off in mid-response,
/// `…/hangup` closes instead of answering, `…/stale` answers and closes without saying so, `…/chunked` answers without a
/// length, `…/large` sends eight megabytes, `…/busy` answers 503, `…/declined` too and that it has not acted on the request,
/// `…/slow` answers after 300 milliseconds.
struct StubUpstream: Sendable {
    let channel: any Channel
    let seen: SeenRequests

    var port: Int { channel.localAddress?.port ?? 0 }

    static func start(port: Int = 0) async throws -> StubUpstream {
        let seen = SeenRequests()
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let sync = channel.pipeline.syncOperations
                    seen.connected(channel)
                    try sync.configureHTTPServerPipeline()
                    try sync.addHandler(StubHandler(seen: seen))
                }
            }
            .bind(host: "127.0.0.1", port: port).get()
        return StubUpstream(channel: channel, seen: seen)
    }

    /// Closes the listener and every connection.
    func stop() async {
        try? await channel.close()
        for connection in seen.connections { try? await connection.close() }
    }
}

/// What the stub has seen, for the test to look at.
final class SeenRequests: Sendable {
    private let state = Mutex(
        (
            requests: [String](), connections: [any Channel](), bodyBytes: 0, isMute: false, isLeaving: false,
            isUnready: false, isDropping: false
        ))

    var requests: [String] {
        state.withLock { $0.requests.filter { !$0.hasPrefix("GET /readyz") && !$0.hasPrefix("GET /livez") } }
    }
    var connections: [any Channel] { state.withLock { $0.connections } }
    var bodyBytes: Int { state.withLock { $0.bodyBytes } }

    /// Whether it takes requests and answers none.
    var isMute: Bool {
        get { state.withLock { $0.isMute } }
        set { state.withLock { $0.isMute = newValue } }
    }

    /// Whether it says with each answer that it closes the connection, and does so.
    var isLeaving: Bool {
        get { state.withLock { $0.isLeaving } }
        set { state.withLock { $0.isLeaving = newValue } }
    }

    /// Whether it answers `/readyz` with 503.
    var isUnready: Bool {
        get { state.withLock { $0.isUnready } }
        set { state.withLock { $0.isUnready = newValue } }
    }

    /// Whether it closes the connection instead of answering, unless it is asked how it is.
    var isDropping: Bool {
        get { state.withLock { $0.isDropping } }
        set { state.withLock { $0.isDropping = newValue } }
    }

    func connected(_ channel: any Channel) {
        state.withLock { $0.connections.append(channel) }
    }

    func request(_ line: String) {
        state.withLock { $0.requests.append(line) }
    }

    func body(_ count: Int) {
        state.withLock { $0.bodyBytes += count }
    }
}

private final class StubHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let seen: SeenRequests
    private var head: HTTPRequestHead?
    private var bodyBytes = 0

    init(seen: SeenRequests) {
        self.seen = seen
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            self.head = head
            bodyBytes = 0
            seen.request("\(head.method.rawValue) \(head.uri)")
        case .body(let body):
            bodyBytes += body.readableBytes
            seen.body(body.readableBytes)
        case .end: if let head, !seen.isMute { answer(head, context) }
        }
    }

    private func answer(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        let lines = ["\(head.method.rawValue) \(head.uri)"] + head.headers.map { "\($0.name): \($0.value)" }
        let text = (lines + ["body-bytes: \(bodyBytes)"]).joined(separator: "\n")
        if seen.isDropping, head.uri != "/livez", head.uri != "/readyz" { return context.close(promise: nil) }
        var headers: HTTPHeaders = ["Connection": "X-Hop", "X-Hop": "1", "X-Kept": "1", "X-Request-Id": "theirs"]
        if seen.isLeaving { headers.replaceOrAdd(name: "Connection", value: "close") }
        switch head.uri.split(separator: "/").last {
        case "stall": return
        case "hangup": return context.close(promise: nil)
        case "large":
            let chunk = ByteBuffer(repeating: UInt8(ascii: "x"), count: 1_048_576)
            headers.add(name: "Content-Length", value: String(8 * chunk.readableBytes))
            write(head, headers, Array(repeating: chunk, count: 8), context)
        case "chunked":
            headers.add(name: "Transfer-Encoding", value: "chunked")
            write(head, headers, [ByteBuffer(string: "one "), ByteBuffer(string: "two")], context)
        case "cut":
            headers.add(name: "Content-Length", value: "1000")
            let response = HTTPResponseHead(version: .http1_1, status: .ok, headers: headers)
            context.write(wrapOutboundOut(.head(response)), promise: nil)
            let channel = context.channel
            context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: "part"))))).whenComplete { _ in
                channel.close(promise: nil)
            }
        case "slow":
            headers.add(name: "Content-Length", value: String(text.utf8.count))
            let answer = headers
            context.eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(300)) {
                self.write(head, answer, [ByteBuffer(string: text)], context)
            }
        default:
            headers.add(name: "Content-Length", value: String(text.utf8.count))
            write(head, headers, [ByteBuffer(string: text)], context)
        }
    }

    private func write(
        _ head: HTTPRequestHead, _ headers: HTTPHeaders, _ body: [ByteBuffer], _ context: ChannelHandlerContext
    ) {
        let isDeclined = head.uri.hasSuffix("/declined")
        let isBusy = isDeclined || head.uri.hasSuffix("/busy") || (head.uri == "/readyz" && seen.isUnready)
        let status: HTTPResponseStatus = isBusy ? .serviceUnavailable : .ok
        var headers = headers
        if isBusy { headers.add(name: "Retry-After", value: "17") }
        if isDeclined { headers.add(name: "X-Request-Not-Acted-On", value: "1") }
        let response = HTTPResponseHead(version: .http1_1, status: status, headers: headers)
        context.write(wrapOutboundOut(.head(response)), promise: nil)
        if head.method != .HEAD {
            for part in body { context.write(wrapOutboundOut(.body(.byteBuffer(part))), promise: nil) }
        }
        let channel = context.channel
        let isStale = head.uri.hasSuffix("/stale") || seen.isLeaving
        context.writeAndFlush(wrapOutboundOut(.end(nil))).whenComplete { _ in
            if isStale { channel.close(promise: nil) }
        }
    }
}
