internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix

/// Asks each service for `/readyz`, over and over, and writes the answers on the board. Every probe has a deadline.
final class HealthProber: Sendable {
    private let endpoints: [UpstreamEndpoint]
    private let board: HealthBoard
    private let timeout: TimeAmount

    init(endpoints: [UpstreamEndpoint], board: HealthBoard, timeout: TimeAmount) {
        self.endpoints = endpoints
        self.board = board
        self.timeout = timeout
    }

    /// Begins to probe; cancelling the task ends it.
    func start(on eventLoop: any EventLoop, every interval: TimeAmount) -> RepeatedTask {
        eventLoop.scheduleRepeatedTask(initialDelay: .zero, delay: interval) { _ in
            for index in self.endpoints.indices { self.probe(index, on: eventLoop) }
        }
    }

    private func probe(_ index: Int, on eventLoop: any EventLoop) {
        let answer = eventLoop.makePromise(of: HealthBoard.State.self)
        let endpoint = endpoints[index]
        let bootstrap = ClientBootstrap(group: eventLoop).connectTimeout(timeout).channelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                let sync = channel.pipeline.syncOperations
                try sync.addHTTPClientHandlers()
                try sync.addHandler(ProbeHandler(host: endpoint.host, answer: answer))
            }
        }
        let expiry = eventLoop.scheduleTask(in: timeout) { answer.succeed(.unhealthy) }
        let connection = bootstrap.connect(host: endpoint.host, port: endpoint.port)
        connection.whenFailure { _ in answer.succeed(.unhealthy) }
        answer.futureResult.whenSuccess { state in
            expiry.cancel()
            self.board.set(state, at: index)
            connection.whenSuccess { $0.close(promise: nil) }
        }
    }
}

/// One request, one status.
private final class ProbeHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private let host: String
    private let answer: EventLoopPromise<HealthBoard.State>

    init(host: String, answer: EventLoopPromise<HealthBoard.State>) {
        self.host = host
        self.answer = answer
    }

    func channelActive(context: ChannelHandlerContext) {
        let headers: HTTPHeaders = ["Host": host, "Connection": "close"]
        let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: "/readyz", headers: headers)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if case .head(let head) = unwrapInboundIn(data) {
            answer.succeed(head.status == .ok ? .healthy : .degraded)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        answer.succeed(.unhealthy)
    }
}
