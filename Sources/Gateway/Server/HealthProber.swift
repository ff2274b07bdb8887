internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import Synchronization

/// Asks each service for one path, over and over, and reports what comes of it. Every probe has a deadline, and a service
/// is not asked again before it has answered or that has passed.
final class HealthProber: Sendable {
    private let endpoints: [UpstreamEndpoint]
    private let path: String
    private let timeout: TimeAmount
    private let report: @Sendable (Int, HealthBoard.State) -> Void
    private let underWay: Mutex<Set<Int>> = Mutex([])

    init(
        endpoints: [UpstreamEndpoint], path: String, timeout: TimeAmount,
        report: @escaping @Sendable (Int, HealthBoard.State) -> Void
    ) {
        self.endpoints = endpoints
        self.path = path
        self.timeout = timeout
        self.report = report
    }

    /// Begins to probe; cancelling the task ends it.
    func start(on eventLoop: any EventLoop, every interval: TimeAmount) -> RepeatedTask {
        eventLoop.scheduleRepeatedTask(initialDelay: .zero, delay: interval) { _ in
            for index in self.endpoints.indices where self.underWay.withLock({ $0.insert(index).inserted }) {
                self.probe(index, on: eventLoop)
            }
        }
    }

    private func probe(_ index: Int, on eventLoop: any EventLoop) {
        let answer = eventLoop.makePromise(of: HealthBoard.State.self)
        let endpoint = endpoints[index]
        let path = path
        let bootstrap = ClientBootstrap(group: eventLoop).connectTimeout(timeout).channelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                let sync = channel.pipeline.syncOperations
                try sync.addHTTPClientHandlers()
                try sync.addHandler(ProbeHandler(host: endpoint.host, path: path, answer: answer))
            }
        }
        let expiry = eventLoop.scheduleTask(in: timeout) { answer.succeed(.unhealthy) }
        let connection = bootstrap.connect(host: endpoint.host, port: endpoint.port)
        connection.whenFailure { _ in answer.succeed(.unhealthy) }
        answer.futureResult.whenSuccess { state in
            expiry.cancel()
            self.underWay.withLock { _ = $0.remove(index) }
            self.report(index, state)
            connection.whenSuccess { $0.close(promise: nil) }
        }
    }
}

/// One request, one status.
private final class ProbeHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private let host: String
    private let path: String
    private let answer: EventLoopPromise<HealthBoard.State>

    init(host: String, path: String, answer: EventLoopPromise<HealthBoard.State>) {
        self.host = host
        self.path = path
        self.answer = answer
    }

    func channelActive(context: ChannelHandlerContext) {
        let headers: HTTPHeaders = ["Host": host, "Connection": "close"]
        let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: path, headers: headers)
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
