package import NIOCore
package import NIOHTTP1
import NIOPosix

/// Connections that are kept open, each with one request at a time, all on one event loop.
///
/// The load shares its processors with what it measures: with a general client it took a seventh of two cores for itself, more
/// than the gateway that it asked. This one knows no redirects, no proxies and no streams, and has one timer for all requests.
///
/// Everything but `send` and `close` happens on the event loop, and so does every access to what changes.
package final class LoadConnections: @unchecked Sendable {
    /// An answer whose end has been seen.
    package struct Answer: Sendable {
        package var head: HTTPResponseHead
        package var body: ByteBuffer
    }

    package enum Failure: Error {
        /// No answer within the time of a request.
        case timedOut
        /// The connection ended before the answer did.
        case closed
        /// Not `http://host:port/path`.
        case notAnAddress(String)
    }

    private struct Server: Hashable {
        var host: String
        var port: Int
    }

    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let loop: any EventLoop
    private let timeout: TimeAmount
    private var idle: [Server: [Connection]] = [:]
    private var busy: [ObjectIdentifier: Connection] = [:]

    /// - Parameter timeout: how long a request may take, the connection included; observed to a quarter of a second.
    package init(timeout: TimeAmount) {
        self.timeout = timeout
        loop = group.next()
        loop.scheduleRepeatedTask(initialDelay: .milliseconds(250), delay: .milliseconds(250)) { [weak self] _ in
            self?.endLate()
        }
    }

    /// - Throws: `Failure`, or what the system says of the connection.
    package func send(
        _ method: HTTPMethod, _ address: String, _ headers: HTTPHeaders, _ body: ByteBuffer?
    ) async throws -> Answer {
        let (server, path) = try Self.parse(address)
        var head = HTTPRequestHead(version: .http1_1, method: method, uri: path, headers: headers)
        head.headers.add(name: "host", value: "\(server.host):\(server.port)")
        if let body { head.headers.add(name: "content-length", value: "\(body.readableBytes)") }
        let request = head
        return try await withCheckedThrowingContinuation { continuation in
            loop.execute { self.begin(Exchange(request, body, by: .now() + self.timeout, continuation), server) }
        }
    }

    /// Closes them; requests that are under way fail.
    package func close() async {
        try? await loop.submit {
            for connection in self.idle.values.joined() { connection.channel?.close(promise: nil) }
            for connection in self.busy.values { connection.fail(Failure.closed) }
            self.idle = [:]
        }.get()
        try? await group.shutdownGracefully()
    }

    private static func parse(_ address: String) throws(Failure) -> (Server, String) {
        guard address.hasPrefix("http://") else { throw .notAnAddress(address) }
        let rest = address.dropFirst(7)
        let slash = rest.firstIndex(of: "/") ?? rest.endIndex
        let parts = rest[..<slash].split(separator: ":")
        guard parts.count == 2, let port = Int(parts[1]) else { throw .notAnAddress(address) }
        return (Server(host: String(parts[0]), port: port), slash == rest.endIndex ? "/" : String(rest[slash...]))
    }

    // MARK: - On the event loop

    private func begin(_ exchange: Exchange, _ server: Server) {
        if let connection = idle[server]?.popLast() {
            busy[ObjectIdentifier(connection)] = connection
            return connection.begin(exchange)
        }
        let connection = Connection(
            onFree: { [weak self] in self?.free($0, server) }, onEnd: { [weak self] in self?.forget($0, server) })
        busy[ObjectIdentifier(connection)] = connection
        connection.expect(exchange)
        ClientBootstrap(group: loop)
            .connectTimeout(timeout)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHTTPClientHandlers(enableOutboundHeaderValidation: false)
                    try channel.pipeline.syncOperations.addHandler(connection)
                }
            }
            .connect(host: server.host, port: server.port)
            .whenFailure { connection.fail($0) }
    }

    private func free(_ connection: Connection, _ server: Server) {
        busy[ObjectIdentifier(connection)] = nil
        idle[server, default: []].append(connection)
    }

    private func forget(_ connection: Connection, _ server: Server) {
        busy[ObjectIdentifier(connection)] = nil
        idle[server]?.removeAll { $0 === connection }
    }

    private func endLate() {
        let now = NIODeadline.now()
        for connection in busy.values where connection.deadline.map({ $0 < now }) ?? false {
            connection.fail(Failure.timedOut)
        }
    }
}

extension LoadConnections {
    /// A request and whoever waits for its answer.
    private struct Exchange: Sendable {
        let head: HTTPRequestHead
        let body: ByteBuffer?
        let deadline: NIODeadline
        let continuation: CheckedContinuation<Answer, any Error>

        init(
            _ head: HTTPRequestHead, _ body: ByteBuffer?, by deadline: NIODeadline,
            _ continuation: CheckedContinuation<Answer, any Error>
        ) {
            self.head = head
            self.body = body
            self.deadline = deadline
            self.continuation = continuation
        }
    }

    /// One connection, the last handler of its own pipeline. Used on the event loop only.
    private final class Connection: ChannelInboundHandler, @unchecked Sendable {
        typealias InboundIn = HTTPClientResponsePart
        typealias OutboundOut = HTTPClientRequestPart

        private let onFree: (Connection) -> Void
        private let onEnd: (Connection) -> Void
        private(set) var channel: (any Channel)?
        private var exchange: Exchange?
        private var answer: Answer?

        /// When what is under way has taken too long.
        var deadline: NIODeadline? { exchange?.deadline }

        init(onFree: @escaping (Connection) -> Void, onEnd: @escaping (Connection) -> Void) {
            self.onFree = onFree
            self.onEnd = onEnd
        }

        /// The request that is sent as soon as there is a connection.
        func expect(_ exchange: Exchange) { self.exchange = exchange }

        func begin(_ exchange: Exchange) {
            self.exchange = exchange
            guard let channel, channel.isActive else { return fail(Failure.closed) }
            send(exchange, over: channel)
        }

        func channelActive(context: ChannelHandlerContext) {
            channel = context.channel
            guard let exchange else { return context.close(promise: nil) }  // too late
            send(exchange, over: context.channel)
        }

        private func send(_ exchange: Exchange, over channel: any Channel) {
            channel.write(HTTPClientRequestPart.head(exchange.head), promise: nil)
            if let body = exchange.body { channel.write(HTTPClientRequestPart.body(.byteBuffer(body)), promise: nil) }
            channel.writeAndFlush(HTTPClientRequestPart.end(nil), promise: nil)
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch unwrapInboundIn(data) {
            case .head(let head): answer = Answer(head: head, body: ByteBuffer())
            case .body(var part): answer?.body.writeBuffer(&part)
            case .end:
                guard let answer, let exchange else { return }
                self.answer = nil
                self.exchange = nil
                if answer.head.isKeepAlive {
                    onFree(self)
                } else {
                    onEnd(self)
                    context.close(promise: nil)
                }
                exchange.continuation.resume(returning: answer)
            }
        }

        func channelInactive(context: ChannelHandlerContext) { fail(Failure.closed) }
        func errorCaught(context: ChannelHandlerContext, error: any Error) { fail(error) }

        /// Ends the connection and what is under way on it.
        func fail(_ error: any Error) {
            onEnd(self)
            let failed = exchange
            exchange = nil
            answer = nil
            channel?.close(promise: nil)
            failed?.continuation.resume(throwing: error)
        }
    }
}
