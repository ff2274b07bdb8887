import LocalStack
import NIOCore
import NIOPosix
import Recovery
import Testing

/// A proxy in front of a server that lives as long as a test.
enum ProxyFixture {
    /// - Parameters:
    ///   - group: the proxy's event loops.
    ///   - server: what answers each connection; echoes unless told otherwise.
    static func run(
        group: MultiThreadedEventLoopGroup = .singleton,
        server: @escaping @Sendable () -> any ChannelHandler = { Echo() },
        _ body: (FaultProxy) async throws -> Void
    ) async throws {
        let listener = try await serve(server)
        let target = try #require(listener.localAddress?.port)
        let proxy = FaultProxy(StackLink(name: "test", port: try Ports.free(), target: target), group: group)
        try await proxy.start()
        let result: Result<Void, any Error>
        do {
            result = .success(try await body(proxy))
        } catch {
            result = .failure(error)
        }
        await proxy.stop()
        try await listener.close()
        try result.get()
    }

    /// Listens, on any port unless told which.
    static func serve(
        _ server: @escaping @Sendable () -> any ChannelHandler = { Echo() }, port: Int = 0
    ) async throws -> any Channel {
        try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(server()) }
            }
            .bind(host: "127.0.0.1", port: port).get()
    }
}

/// Sends back what it reads, and closes when there is no more.
final class Echo: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        context.writeAndFlush(data, promise: nil)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event as? ChannelEvent == .inputClosed { context.close(promise: nil) }
    }
}

/// Sends back what it has read once it has read everything, and closes.
final class Afterwards: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer
    private var said = ByteBuffer()

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        said.writeBuffer(&bytes)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard event as? ChannelEvent == .inputClosed else { return }
        let channel = context.channel
        context.writeAndFlush(wrapOutboundOut(said)).whenComplete { _ in channel.close(promise: nil) }
    }
}

/// Says something to whoever connects, and closes.
final class Greeting: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer
    private let words: String

    init(_ words: String) {
        self.words = words
    }

    func channelActive(context: ChannelHandlerContext) {
        let channel = context.channel
        let bytes = wrapOutboundOut(ByteBuffer(string: words))
        context.writeAndFlush(bytes).whenComplete { _ in channel.close(promise: nil) }
    }
}
