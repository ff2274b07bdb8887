import NIOCore
import NIOHTTP2
import NIOPosix
import NIOSSL
import Synchronization

/// An HTTP/2 connection that asks for nothing and notes whether it is told to go (GOAWAY, RFC 9113 §6.8).
struct GoAwayWatcher: Sendable {
    private let channel: any Channel
    private let told: Flag

    static func connect(port: Int, trusting authority: String) async throws -> GoAwayWatcher {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.trustRoots = .file(authority)
        configuration.applicationProtocols = ["h2"]
        let context = try NIOSSLContext(configuration: configuration)
        let told = Flag()
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let sync = channel.pipeline.syncOperations
                    try sync.addHandler(NIOSSLClientHandler(context: context, serverHostname: "localhost"))
                    try sync.addHandler(NIOHTTP2Handler(mode: .client))
                    try sync.addHandler(FrameHandler(told: told))
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
        let watcher = GoAwayWatcher(channel: channel, told: told)
        // The server's settings are its first words: before them it may not even know of this connection.
        let deadline = ContinuousClock.now + .seconds(3)
        while !told.hasSettings, ContinuousClock.now < deadline { try await Task.sleep(for: .milliseconds(2)) }
        return watcher
    }

    /// Whether GOAWAY has come, and then the end of the connection; waits two seconds at most.
    func wasToldToGo() async -> Bool {
        let deadline = ContinuousClock.now + .seconds(2)
        while channel.isActive, ContinuousClock.now < deadline { try? await Task.sleep(for: .milliseconds(2)) }
        return told.hasGoAway && !channel.isActive
    }

    final class Flag: Sendable {
        private let state = Mutex((settings: false, goAway: false))

        var hasSettings: Bool { state.withLock { $0.settings } }
        var hasGoAway: Bool { state.withLock { $0.goAway } }

        func note(_ payload: HTTP2Frame.FramePayload) {
            switch payload {
            case .settings: state.withLock { $0.settings = true }
            case .goAway: state.withLock { $0.goAway = true }
            default: break
            }
        }
    }

    private final class FrameHandler: ChannelInboundHandler {
        typealias InboundIn = HTTP2Frame

        private let told: Flag

        init(told: Flag) {
            self.told = told
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            told.note(unwrapInboundIn(data).payload)
        }
    }
}
