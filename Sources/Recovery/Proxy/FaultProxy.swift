package import LocalStack
package import NIOCore
package import NIOPosix
import Synchronization

/// A TCP proxy on the loopback interface that can be told to fail in the ways that networks and peers do.
package actor FaultProxy {
    /// What it does with connections.
    package enum Mode: String, Sendable, CaseIterable, Codable {
        /// Hands every byte on.
        case pass
        /// Nobody listens: connections are refused, and those that were open are reset.
        case refuse
        /// Connections are taken and stay open; what is sent is swallowed and nothing answers.
        case stall
        /// Connections are reset, those that were open and each new one.
        case cut
        /// Hands every byte on, later: by ``FaultProxy/delay`` in each direction.
        case delay
    }

    /// How much later `delay` hands bytes on.
    package static let delay = TimeAmount.milliseconds(200)

    package nonisolated let link: StackLink
    private let group: MultiThreadedEventLoopGroup
    private let connections = ProxiedConnections()
    private var listener: (any Channel)?

    package init(_ link: StackLink, group: MultiThreadedEventLoopGroup = .singleton) {
        self.link = link
        self.group = group
    }

    package var mode: Mode { connections.mode }

    /// Listens and passes.
    ///
    /// - Throws: `LocalStackError.inUse` when the port cannot be bound.
    package func start() async throws(LocalStackError) {
        try await listen()
    }

    /// Takes effect before it returns. Whoever was connected while bytes were swallowed or refused is reset afterwards: what
    /// was lost on the way cannot be had again.
    package func set(_ mode: Mode) async throws(LocalStackError) {
        let before = connections.mode
        connections.set(mode)
        if mode == .refuse {
            await closeListener()
        } else if listener == nil {
            try await listen()
        }
        if mode == .refuse || mode == .cut || before == .stall && mode != .stall { connections.resetAll() }
    }

    /// Closes the listener and resets every connection.
    package func stop() async {
        await closeListener()
        connections.resetAll()
    }

    private func closeListener() async {
        // Taken first: an order that comes while this one waits must not find a listener that is about to go.
        let closing = listener
        listener = nil
        try? await closing?.close().get()
    }

    private func listen() async throws(LocalStackError) {
        let (connections, target) = (connections, link.target)
        do {
            listener = try await ServerBootstrap(group: group)
                .serverChannelOption(.backlog, value: 1_024)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
                .childChannelOption(.autoRead, value: false)
                .childChannelOption(.allowRemoteHalfClosure, value: true)
                .childChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture { try ProxiedConnection.accept(channel, connections, target) }
                }
                .bind(host: "127.0.0.1", port: link.port).get()
        } catch {
            throw LocalStackError(
                .inUse, "The proxy in front of \(link.name) cannot listen on port \(link.port): \(error)")
        }
    }
}

/// The mode of a link and the connections through it, for all event loops.
final class ProxiedConnections: Sendable {
    private struct State {
        var mode = FaultProxy.Mode.pass
        var channels: [ObjectIdentifier: any Channel] = [:]
    }

    private let state = Mutex(State())

    var mode: FaultProxy.Mode { state.withLock { $0.mode } }
    func set(_ mode: FaultProxy.Mode) { state.withLock { $0.mode = mode } }

    /// Keeps an eye on a channel until it is closed.
    func add(_ channel: any Channel) {
        let id = ObjectIdentifier(channel)
        state.withLock { $0.channels[id] = channel }
        channel.closeFuture.whenComplete { [weak self] _ in
            self?.state.withLock { _ = $0.channels.removeValue(forKey: id) }
        }
    }

    func resetAll() {
        for channel in state.withLock({ Array($0.channels.values) }) { channel.reset() }
    }
}
