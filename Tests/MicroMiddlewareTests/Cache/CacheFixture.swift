import ConnectionKit
import Foundation
import Logging
import MicroMiddleware
import Postgres
import Redis
import Synchronization
import TestSupport

/// A cache, or a service's whole warm-up, over a real Redis and a real PostgreSQL.
struct CacheFixture {
    let server: TestRedis
    let redis: RedisClient
    let cache: ServiceCache
    let metrics = MetricsRegistry()

    /// - Parameter server: the Redis of a fixture before; one of its own by default.
    static func make(server: TestRedis? = nil, generation: String? = "g1") async throws -> CacheFixture {
        var running = server
        if running == nil { running = try await TestRedis.start() }
        guard let running else { throw Journal.Timeout(entry: "redis") }
        let redis = RedisClient(
            configuration: try RedisConfiguration(url: running.url), logger: Telemetry.silent().logger)
        let metrics = MetricsRegistry()
        let cache = ServiceCache(service: "test", redis: redis, metrics: metrics)
        cache.generation = generation
        return CacheFixture(server: running, redis: redis, cache: cache, metrics: metrics)
    }

    private init(server: TestRedis, redis: RedisClient, cache: ServiceCache, metrics: MetricsRegistry) {
        self.server = server
        self.redis = redis
        self.cache = cache
    }

    func stop() async {
        await redis.close()
        await server.stop()
    }

    /// A database with the tables of the cache and the outbox.
    static func database(onStatement: (@Sendable (Duration) -> Void)? = nil, url: String? = nil) async throws
        -> PostgresClient
    {
        var address = url
        if address == nil { address = try await TestPostgres.shared().createDatabase() }
        let client = PostgresClient(
            configuration: try PostgresConfiguration(url: address ?? ""), logger: Telemetry.silent().logger,
            onStatement: onStatement)
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        _ = try await PostgresMigrator(client).migrate(
            try MigrationSet(directory: root.appending(path: "migrations/profile").path()),
            deadline: .after(.seconds(30)))
        return client
    }
}

/// A value that somebody keeps in a database, and how often it was asked for.
final class Origin: Sendable {
    private let state = Mutex((value: String?.some("one"), loads: 0))

    var loads: Int { state.withLock { $0.loads } }

    func load() -> String? {
        state.withLock { state in
            state.loads += 1
            return state.value
        }
    }

    func set(_ value: String?) { state.withLock { $0.value = value } }
}
