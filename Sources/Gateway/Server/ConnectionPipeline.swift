internal import NIOCore
internal import NIOHTTP1
internal import NIOHTTP2
internal import NIOSSL
internal import NIOTLS

/// Builds the handlers of an accepted connection: HTTP/1.1, or with a certificate what ALPN (RFC 7301) agrees on.
struct ConnectionPipeline: Sendable {
    let shared: GatewayContext
    let loops: [ObjectIdentifier: NIOLoopBound<GatewayLoop>]
    let certificates: TLSCertificates?

    /// Called on the connection's event loop.
    func configure(_ channel: any Channel) -> EventLoopFuture<Void> {
        guard let loop = loops[ObjectIdentifier(channel.eventLoop)]?.value, !shared.isClosing,
            shared.admitConnection()
        else {
            shared.metrics.connectionRefused()
            return channel.close()
        }
        channel.closeFuture.whenComplete { _ in shared.connectionClosed() }
        return channel.eventLoop.makeCompletedFuture {
            guard let certificates else { return try addHTTP1(channel, loop, isSecure: false) }
            let sync = channel.pipeline.syncOperations
            try sync.addHandler(NIOSSLServerHandler(context: certificates.current))
            try sync.addHandler(HandshakeDeadline(timeout: shared.limits.headTimeout))
            try sync.addHandler(
                ApplicationProtocolNegotiationHandler { result, channel in
                    channel.eventLoop.makeCompletedFuture {
                        guard let loop = loops[ObjectIdentifier(channel.eventLoop)]?.value else { return }
                        if case .negotiated("h2") = result {
                            try addHTTP2(channel, loop)
                        } else {
                            try addHTTP1(channel, loop, isSecure: true)
                        }
                    }
                })
        }
    }

    private func addHTTP1(_ channel: any Channel, _ loop: GatewayLoop, isSecure: Bool) throws {
        var encoding = HTTPResponseEncoder.Configuration()
        encoding.automaticallySetFramingHeaders = false
        var decoding = NIOHTTPDecoderLimitConfiguration()
        decoding.maxHeaderFieldCount = shared.limits.maximumHeaderFields
        decoding.maxHeaderFieldSize = shared.limits.maximumHeaderFieldBytes
        decoding.maxHeaderListSize = shared.limits.maximumHeaderBytes
        let decoder = HTTPRequestDecoder(leftOverBytesStrategy: .dropBytes, limitConfiguration: decoding)
        try channel.pipeline.syncOperations.addHandlers([
            HTTPResponseEncoder(configuration: encoding), ByteToMessageHandler(decoder),
            ClientHandler(loop: loop, transport: .http1, isSecure: isSecure),
        ])
    }

    private func addHTTP2(_ channel: any Channel, _ loop: GatewayLoop) throws {
        var connection = NIOHTTP2Handler.ConnectionConfiguration()
        connection.initialSettings = [
            HTTP2Setting(parameter: .maxConcurrentStreams, value: 100),
            HTTP2Setting(parameter: .maxHeaderListSize, value: shared.limits.maximumHeaderBytes),
        ]
        var stream = NIOHTTP2Handler.StreamConfiguration()
        stream.outboundBufferSizeHighWatermark = 65_536
        stream.outboundBufferSizeLowWatermark = 32_768
        let manager = NIOHTTP2ServerConnectionManagementHandler(
            eventLoop: channel.eventLoop,
            configuration: .init(
                maxIdleTime: shared.limits.idleTimeout, maxAge: nil, maxGraceTime: shared.limits.drainTimeout,
                keepalive: nil))
        let handler = NIOHTTP2Handler(
            mode: .server, eventLoop: channel.eventLoop, connectionConfiguration: connection,
            streamConfiguration: stream, streamDelegate: manager.http2StreamDelegate
        ) { stream in
            stream.eventLoop.makeCompletedFuture {
                guard let loop = loops[ObjectIdentifier(stream.eventLoop)]?.value else { return }
                try stream.pipeline.syncOperations.addHandlers([
                    HTTP2FramePayloadToHTTP1ServerCodec(),
                    ClientHandler(loop: loop, transport: .http2, isSecure: true),
                ])
            }
        }
        try channel.pipeline.syncOperations.addHandlers([handler, manager])
        loop.add(multiplexed: channel)
    }
}

/// Closes a connection whose TLS handshake takes too long.
private final class HandshakeDeadline: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = NIOAny

    private let timeout: TimeAmount
    private var expiry: Scheduled<Void>?

    init(timeout: TimeAmount) {
        self.timeout = timeout
    }

    func handlerAdded(context: ChannelHandlerContext) {
        let channel = context.channel
        expiry = context.eventLoop.scheduleTask(in: timeout) { channel.close(promise: nil) }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        expiry?.cancel()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let event = event as? TLSUserEvent, case .handshakeCompleted = event {
            expiry?.cancel()
            context.fireUserInboundEventTriggered(event)
            context.pipeline.syncOperations.removeHandler(self, promise: nil)
        } else {
            context.fireUserInboundEventTriggered(event)
        }
    }
}
