import Foundation
import LocalStack
import NIOCore
import NIOPosix
import Recovery
import Testing

@Suite("A proxy that fails on demand", .serialized)
struct FaultProxyTests {
    /// How long nothing must come before it counts as silence.
    private let silence = Duration.milliseconds(500)

    /// What becomes of a line that is sent over a new connection.
    private func ask(
        _ proxy: FaultProxy, _ line: String = "hello", for patience: Duration = PlainClient.patience
    ) async -> PlainClient.Outcome {
        let (client, outcome) = await PlainClient.connect(to: proxy.link.port)
        return outcome == .connected ? await client.ask(line, for: patience) : outcome
    }

    /// A connection that has been through to the server and back: the kernel connects a client before the proxy knows of it.
    private func established(_ proxy: FaultProxy) async throws -> PlainClient {
        let (client, outcome) = await PlainClient.connect(to: proxy.link.port)
        try #require(outcome == .connected)
        try #require(await client.ask("early") == .answered("early"))
        return client
    }

    @Test("It passes what is sent, both ways, however much it is")
    func passing() async throws {
        try await ProxyFixture.run { proxy in
            #expect(await ask(proxy) == .answered("hello"))
            let megabytes = String(repeating: "x", count: 4 << 20)
            let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connect(to: SocketAddress(ipAddress: "127.0.0.1", port: proxy.link.port)) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                    }
                }
            let received = try await channel.executeThenClose { inbound, outbound in
                async let sending: Void = outbound.write(ByteBuffer(string: megabytes))
                var count = 0
                for try await bytes in inbound {
                    count += bytes.readableBytes
                    if count >= megabytes.utf8.count { break }
                }
                try await sending
                return count
            }
            #expect(received == megabytes.utf8.count)
        }
    }

    @Test("A client is served however late the listener's event loop hands it over")
    func slowListener() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
        // Loops are taken in turn: the listener gets the other one.
        let free = group.next()
        let slow = try #require(group.makeIterator().first { $0 !== free })
        // A task that is due again at once would keep the loop from its sockets altogether.
        let stalling = slow.scheduleRepeatedTask(initialDelay: .zero, delay: .milliseconds(2)) { _ in
            Thread.sleep(forTimeInterval: 0.02)
        }
        try await ProxyFixture.run(group: group) { proxy in
            for number in 0..<6 { #expect(await ask(proxy, "\(number)") == .answered("\(number)")) }
        }
        stalling.cancel()
        try await group.shutdownGracefully()
    }

    @Test("What was sent before an end arrives before it, at once and later")
    func greeting() async throws {
        let words = String(repeating: "x", count: 8 << 20)
        try await ProxyFixture.run(server: { Greeting(words) }) { proxy in
            let (client, _) = await PlainClient.connect(to: proxy.link.port)
            // Compared outside of the expectation, which would print both.
            let isWhole = await client.read(words.utf8.count) == .answered(words)
            #expect(isWhole)
            #expect(await client.read(1) == .closed)
        }
        try await ProxyFixture.run(server: { Greeting("bye") }) { proxy in
            try await proxy.set(.delay)
            let (client, _) = await PlainClient.connect(to: proxy.link.port)
            #expect(await client.read(3) == .answered("bye"))
            #expect(await client.read(1) == .closed)
        }
    }

    @Test("Whoever has said all can still be answered", arguments: [FaultProxy.Mode.pass, .delay])
    func halfClosed(mode: FaultProxy.Mode) async throws {
        try await ProxyFixture.run(server: { Afterwards() }) { proxy in
            try await proxy.set(mode)
            let (client, _) = await PlainClient.connect(to: proxy.link.port)
            #expect(await client.ask("hello", for: .milliseconds(50)) == .silent)
            await client.end()
            #expect(await client.read(5) == .answered("hello"))
            #expect(await client.read(1) == .closed)
        }
    }

    @Test("Refusing, it refuses new connections; cutting, it resets them; stalling, it takes them and nothing answers")
    func modes() async throws {
        try await ProxyFixture.run { proxy in
            for (mode, outcome) in [
                (FaultProxy.Mode.refuse, PlainClient.Outcome.refused), (.cut, .reset), (.stall, .silent),
                (.pass, .answered("hello")),
            ] {
                try await proxy.set(mode)
                #expect(await ask(proxy, for: mode == .stall ? silence : PlainClient.patience) == outcome, "\(mode)")
                #expect(await proxy.mode == mode)
            }
        }
    }

    @Test("A connection that was open is reset by refusing and by cutting, and after bytes of it were swallowed")
    func openConnections() async throws {
        try await ProxyFixture.run { proxy in
            for mode in [FaultProxy.Mode.refuse, .cut] {
                let open = try await established(proxy)
                try await proxy.set(mode)
                #expect(await open.ask("late") == .reset, "\(mode)")
                try await proxy.set(.pass)
            }
            let stalled = try await established(proxy)
            try await proxy.set(.stall)
            #expect(await stalled.ask("swallowed", for: silence) == .silent)
            try await proxy.set(.pass)
            #expect(await stalled.ask("late") == .reset)
            #expect(await ask(proxy) == .answered("hello"))
        }
    }

    @Test("Delaying, it answers later, in order")
    func delay() async throws {
        try await ProxyFixture.run { proxy in
            try await proxy.set(.delay)
            let began = ContinuousClock.now
            #expect(await ask(proxy) == .answered("hello"))
            #expect(ContinuousClock.now - began >= .milliseconds(390))
        }
    }

    @Test("A target that is not there resets the client, and is found when it comes")
    func target() async throws {
        let port = try Ports.free()
        let proxy = FaultProxy(StackLink(name: "nothing", port: try Ports.free(), target: port))
        try await proxy.start()
        #expect(await ask(proxy) == .reset)
        let server = try await ProxyFixture.serve(port: port)
        #expect(await ask(proxy) == .answered("hello"))
        await proxy.stop()
        try await server.close()
    }
}
