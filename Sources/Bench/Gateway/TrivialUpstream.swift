internal import NIOCore
internal import NIOPosix

/// The cheapest HTTP/1.1 service there can be: counts request heads, answers each with the same bytes. What is
/// measured through it is the proxy in front of it.
struct TrivialUpstream {
    private let channel: any Channel
    private let group: MultiThreadedEventLoopGroup

    var port: Int { channel.localAddress?.port ?? 0 }

    static func start() async throws -> TrivialUpstream {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let channel = try await ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 1_024)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(TrivialHandler())
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return TrivialUpstream(channel: channel, group: group)
    }

    func stop() async {
        try? await channel.close()
        try? await group.shutdownGracefully()
    }
}

private final class TrivialHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private static let body =
        "{\"code\":0,\"message\":\"ok\",\"data\":{\"id\":\"0198f6a2-0000-7000-8000-000000000001\"}}"
    private let answer = ByteBuffer(
        string: "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
    )
    /// How many bytes of CR LF CR LF have been seen.
    private var matched = 0

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = unwrapInboundIn(data)
        for byte in buffer.readableBytesView {
            let expected: UInt8 = matched % 2 == 0 ? 13 : 10
            matched = byte == expected ? matched + 1 : (byte == 13 ? 1 : 0)
            if matched == 4 {
                matched = 0
                context.write(wrapOutboundOut(answer), promise: nil)
            }
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        context.flush()
    }
}
