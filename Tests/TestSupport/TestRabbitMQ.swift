import ConnectionKit
package import LocalStack
import Synchronization

/// A private RabbitMQ with its own port mapper. It takes some seconds to start: use `shared()` and a virtual host of
/// your own unless the test hurts the broker.
package final class TestRabbitMQ: Sendable {
    package let handle: TestServer<RabbitMQServer>
    private let portMapper: TestServer<EpmdServer>
    private let nextVirtualHost = Atomic(0)

    private init(_ server: RabbitMQServer, portMapper: EpmdServer, tlsPort: Int?) {
        handle = TestServer(server)
        self.portMapper = TestServer(portMapper)
        self.tlsPort = tlsPort
    }

    private static let sharedServer = Task { try await TestRabbitMQ.start(virtualHosts: 64) }

    /// The one broker of this test process, started at first use. Nobody may stop it.
    package static func shared() async throws -> TestRabbitMQ {
        try await sharedServer.value
    }

    /// A broker for one test: `stop()` it at the end.
    ///
    /// - Parameters:
    ///   - configuration: further lines of `rabbitmq.conf`.
    ///   - certificate: with it the broker speaks TLS on `tlsPort` as well.
    ///   - virtualHosts: how many `createVirtualHost()` can give out.
    package static func start(
        configuration: [String] = [], certificate: TestCertificate? = nil, virtualHosts: Int = 4
    ) async throws -> TestRabbitMQ {
        let directory = try TestDirectory.make("rabbitmq")
        let epmdPort = try Ports.free()
        var lines = configuration
        var tlsPort: Int?
        if let certificate {
            let files = try certificate.install(in: directory, owner: nil)
            let port = try Ports.free()
            tlsPort = port
            lines += [
                "listeners.ssl.local = 127.0.0.1:\(port)", "ssl_options.certfile = \(files.certificate)",
                "ssl_options.keyfile = \(files.key)", "ssl_options.cacertfile = \(files.authority)",
                "ssl_options.verify = verify_none", "ssl_options.fail_if_no_peer_cert = false",
            ]
        }
        let server = RabbitMQServer(
            name: "rabbitmq-test", directory: directory, port: try Ports.free(), distributionPort: try Ports.free(),
            epmdPort: epmdPort, logFile: "\(directory)/log.txt", user: "test", password: "test",
            virtualHosts: (0..<virtualHosts).map { "test-\($0)" }, configuration: lines)
        let epmd = EpmdServer(
            name: "epmd-test", directory: directory, port: epmdPort, logFile: "\(directory)/epmd.txt")
        let broker = TestRabbitMQ(server, portMapper: epmd, tlsPort: tlsPort)
        try await broker.portMapper.start()
        try await broker.handle.start()
        return broker
    }

    package var port: Int { handle.server.port }
    /// Where it speaks TLS, if it was started with a certificate.
    package let tlsPort: Int?
    /// `amqp://…` of the virtual host `/`.
    package var url: String { handle.server.url() }

    /// Gives out a virtual host that no other test of this process uses, and returns its address.
    package func createVirtualHost() -> String {
        let number = nextVirtualHost.add(1, ordering: .relaxed).oldValue
        precondition(number < handle.server.virtualHosts.count, "start the broker with more virtual hosts")
        return handle.server.url(virtualHost: handle.server.virtualHosts[number])
    }

    /// Runs `rabbitmqctl` (about two seconds) and returns what it prints.
    @discardableResult
    package func control(_ arguments: String...) async throws -> String {
        try await BrokerControl(handle.server).run(arguments)
    }

    package func stop() async {
        await handle.stop()
        await portMapper.stop()
    }

    package func kill() async { await handle.kill() }
    package func pause() async { await handle.pause() }
    package func `continue`() async { await handle.continue() }

    package func restart() async throws {
        if await portMapper.processIdentifier == nil { try await portMapper.restart() }
        try await handle.restart()
    }
}
