package import LocalStack

/// A private Redis. They start in a few milliseconds: a test that counts keys or hurts the server starts its own.
package final class TestRedis: Sendable {
    package let handle: TestServer<RedisServer>

    private init(_ server: RedisServer) {
        handle = TestServer(server)
    }

    private static let sharedServer = Task { try await TestRedis.start() }

    /// The one server of this test process, started at first use. Nobody may stop or flush it.
    package static func shared() async throws -> TestRedis {
        try await sharedServer.value
    }

    /// A server for one test: `stop()` it at the end.
    package static func start(password: String? = nil) async throws -> TestRedis {
        let directory = try TestDirectory.make("redis")
        let server = TestRedis(
            RedisServer(
                name: "redis-test", directory: directory, port: try Ports.free(), logFile: "\(directory)/log",
                password: password))
        try await server.handle.start()
        return server
    }

    package var port: Int { handle.server.port }
    /// `redis://…` of database 0.
    package var url: String { handle.server.url }

    package func stop() async { await handle.stop() }
    package func kill() async { await handle.kill() }
    package func pause() async { await handle.pause() }
    package func `continue`() async { await handle.continue() }
    package func restart() async throws { try await handle.restart() }
}
