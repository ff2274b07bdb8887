internal import Foundation
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import Synchronization

/// What a service said when it was asked.
struct ProbeAnswer: Sendable, Equatable {
    /// Whether the status was 200.
    var isOK: Bool
    /// Whether the service closes the connection after the answer, though it was not asked to: it is about to stop.
    var isLastOnConnection: Bool
}

/// Why a service said nothing.
enum ProbeFailure: Error, Sendable, CustomStringConvertible {
    case timedOut
    /// Nobody listens there: the process is gone, and its connections with it, or it stops and answers what it has.
    case refused
    case notConnected(String)
    /// The connection ended before an answer came.
    case brokenOff(String)

    var description: String {
        switch self {
        case .timedOut: "no answer in time"
        case .refused: "cannot connect: \(String(cString: strerror(ECONNREFUSED)))"
        case .notConnected(let reason): "cannot connect: \(reason)"
        case .brokenOff(let reason): "broke off: \(reason)"
        }
    }
}

typealias ProbeResult = Result<ProbeAnswer, ProbeFailure>

/// Asks each service for one path, over and over, and reports what comes of it. Every probe has a deadline, and a service
/// is not asked again before it has answered or that has passed.
final class HealthProber: Sendable {
    private let endpoints: [UpstreamEndpoint]
    private let path: String
    private let timeout: TimeAmount
    private let report: @Sendable (Int, ProbeResult) -> Void
    private let underWay: Mutex<Set<Int>> = Mutex([])

    /// - Parameter report: gets the index of the endpoint, and what it said or why it said nothing.
    init(
        endpoints: [UpstreamEndpoint], path: String, timeout: TimeAmount,
        report: @escaping @Sendable (Int, ProbeResult) -> Void
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

    /// - Parameter isLastTry: whether a connection that ends without an answer is the last word. A stopping service may close
    ///   one that it has just accepted, and the next is taken by the one that follows it.
    private func probe(_ index: Int, on eventLoop: any EventLoop, isLastTry: Bool = false) {
        let answer = eventLoop.makePromise(of: ProbeResult.self)
        let endpoint = endpoints[index]
        let path = path
        let bootstrap = ClientBootstrap(group: eventLoop).connectTimeout(timeout).channelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                let sync = channel.pipeline.syncOperations
                try sync.addHTTPClientHandlers()
                try sync.addHandler(ProbeHandler(host: endpoint.host, path: path, answer: answer))
            }
        }
        let expiry = eventLoop.scheduleTask(in: timeout) { answer.succeed(.failure(.timedOut)) }
        let connection = bootstrap.connect(host: endpoint.host, port: endpoint.port)
        connection.whenFailure { error in
            let first = (error as? NIOConnectionError)?.connectionErrors.first?.error ?? error
            let code = (first as? IOError)?.errnoCode
            if code == ECONNREFUSED { return answer.succeed(.failure(.refused)) }
            let reason = code.map { String(cString: strerror($0)) }
            answer.succeed(.failure(.notConnected(reason ?? "\(first)")))
        }
        answer.futureResult.whenSuccess { said in
            expiry.cancel()
            connection.whenSuccess { $0.close(promise: nil) }
            if !isLastTry, case .failure(.brokenOff) = said {
                return self.probe(index, on: eventLoop, isLastTry: true)
            }
            self.underWay.withLock { _ = $0.remove(index) }
            self.report(index, said)
        }
    }
}

/// One request, one status.
private final class ProbeHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private let host: String
    private let path: String
    private let answer: EventLoopPromise<ProbeResult>
    private var reason = "closed by the service"

    init(host: String, path: String, answer: EventLoopPromise<ProbeResult>) {
        self.host = host
        self.path = path
        self.answer = answer
    }

    func channelActive(context: ChannelHandlerContext) {
        // Not "Connection: close": whether the service wants to keep the connection is part of what is asked.
        let headers: HTTPHeaders = ["Host": host]
        let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: path, headers: headers)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if case .head(let head) = unwrapInboundIn(data) {
            answer.succeed(.success(ProbeAnswer(isOK: head.status == .ok, isLastOnConnection: !head.isKeepAlive)))
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        reason = "\(error)"
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        answer.succeed(.failure(.brokenOff(reason)))
    }
}
