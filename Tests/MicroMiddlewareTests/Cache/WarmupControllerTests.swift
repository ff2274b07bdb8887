import ConnectionKit
import Contracts
import Foundation
import Logging
import MicroMiddleware
import Postgres
import Redis
import Synchronization
import TestSupport
import Testing

/// A replica of a service: its controller over a real Redis and a real database, on a clock of the test's.
private final class Replica: Sendable {
    let fixture: CacheFixture
    let database: PostgresClient
    let controller: WarmupController
    /// How often the cache was found lost.
    let losses: Counter

    init(server: TestRedis, url: String, clock: Clock, minimumHits: Int = 0) async throws {
        fixture = try await CacheFixture.make(server: server, generation: nil)
        let load = DatabaseLoad(metrics: MetricsRegistry())
        database = try await CacheFixture.database(onStatement: load.record, url: url)
        let settings = ServiceSettings.fixed(
            service: "test",
            [
                "warmup.first_stage": "10s", "warmup.second_stage": "20s", "warmup.watch": "10s",
                "warmup.steady_floor": "10s", "warmup.minimum_hits": "\(minimumHits)",
            ])
        let (lost, now) = (Counter(), clock.now)
        losses = lost
        controller = WarmupController(
            service: "test", database: database, redis: fixture.redis, cache: fixture.cache, load: load,
            outbox: Outbox(), configuration: try WarmupConfiguration(settings: settings), metrics: MetricsRegistry(),
            logger: Telemetry.silent().logger, now: now, onCacheLost: { lost.increment() })
    }

    var stage: WarmupRamp.Stage { controller.report.stage }
    var share: Int { controller.present.share }

    func stop() async {
        await fixture.redis.close()
        await database.close()
    }
}

final class Counter: Sendable {
    private let count = Mutex(0)
    var value: Int { count.withLock { $0 } }
    func increment() { count.withLock { $0 += 1 } }
}

final class Clock: Sendable {
    private let time = Mutex(Date(timeIntervalSince1970: 1_800_000_000))
    var now: @Sendable () -> Date { { [self] in time.withLock { $0 } } }
    func advance(_ seconds: TimeInterval) { time.withLock { $0 += seconds } }
}

@Suite("The warm-up of a service", .serialized)
struct WarmupControllerTests {
    let clock = Clock()

    private func flush(_ server: TestRedis) async throws {
        let client = RedisClient(
            configuration: try RedisConfiguration(url: server.url), logger: Telemetry.silent().logger)
        try await client.send("FLUSHALL", deadline: .after(.seconds(5)))
        await client.close()
    }

    private func events(_ database: PostgresClient) async throws -> [String] {
        try await database.query("SELECT type FROM outbox ORDER BY ordinal", deadline: .after(.seconds(5)))
            .map { try $0.decode(String.self, "type") }
    }

    @Test("An emptied Redis starts the ramp, which goes up by time and load until all are in; and is recorded")
    func flushed() async throws {
        let server = try await TestRedis.start()
        let url = try await TestPostgres.shared().createDatabase()
        let replica = try await Replica(server: server, url: url, clock: clock)
        let controller = replica.controller
        await controller.look()
        #expect(replica.stage == .idle && replica.share == 100)
        let before = try #require(replica.fixture.cache.generation)
        try await flush(server)
        await controller.look()
        #expect(replica.stage == .first && replica.share == 20)
        #expect(controller.report.reason == "the cache was emptied")
        #expect(replica.losses.value == 1)
        #expect(replica.fixture.cache.generation != before)
        for (seconds, share) in [(5.0, 20), (6, 50), (10, 50), (11, 100)] {
            clock.advance(seconds)
            await controller.look()
            #expect(replica.share == share, "after \(seconds) s more")
        }
        #expect(replica.stage == .watching)
        clock.advance(11)
        await controller.look()
        #expect(replica.stage == .idle)
        #expect(try await events(replica.database) == ["test.warmup.started"])
        await replica.stop()
        await server.stop()
    }

    @Test("Two replicas share one ramp, and admit the same users")
    func shared() async throws {
        let server = try await TestRedis.start()
        let url = try await TestPostgres.shared().createDatabase()
        let one = try await Replica(server: server, url: url, clock: clock)
        await one.controller.look()
        let two = try await Replica(server: server, url: url, clock: clock)
        await two.controller.look()
        try await flush(server)
        async let first: Void = one.controller.look()
        async let second: Void = two.controller.look()
        _ = await (first, second)
        await one.controller.look()
        await two.controller.look()
        #expect(one.stage == .first && two.stage == .first)
        #expect(one.fixture.cache.generation == two.fixture.cache.generation)
        let users = (0..<500).map { "user-\($0)" }
        #expect(
            users.filter { one.controller.present.admits($0, .login) }
                == users.filter { two.controller.present.admits($0, .login) })
        try await two.controller.skip(by: "ann", at: clock.now())
        await one.controller.look()
        #expect(one.share == 100 && one.stage == .idle)
        #expect(try await events(one.database).suffix(1) == ["test.warmup.skipped"])
        await one.stop()
        await two.stop()
        await server.stop()
    }

    @Test("A ramp survives a restart while Redis is away, and goes on without it")
    func survives() async throws {
        let server = try await TestRedis.start()
        let url = try await TestPostgres.shared().createDatabase()
        let before = try await Replica(server: server, url: url, clock: clock)
        await before.controller.look()
        try await before.controller.start(reason: "ordered", by: "ann", at: clock.now())
        await before.controller.look()
        await before.stop()
        await server.stop()
        let after = try await Replica(server: server, url: url, clock: clock)
        await after.controller.look()
        #expect(after.stage == .first && after.share == 20)
        #expect(after.controller.report.started == before.controller.report.started)
        #expect(!after.controller.report.isShared)
        clock.advance(11)
        await after.controller.look()
        #expect(after.share == 50)
        // What was decided without Redis is what holds once it is back, empty.
        try await server.restart()
        try await eventually("Redis is back") {
            await after.controller.look()
            return after.controller.report.isShared
        }
        #expect(after.share == 50)
        await after.stop()
        await server.stop()
    }

    @Test("With Redis lost and the service restarted the database still tells of the loss")
    func restartedOnEmptyRedis() async throws {
        let server = try await TestRedis.start()
        let url = try await TestPostgres.shared().createDatabase()
        let before = try await Replica(server: server, url: url, clock: clock)
        await before.controller.look()
        await before.stop()
        try await flush(server)
        let after = try await Replica(server: server, url: url, clock: clock)
        await after.controller.look()
        #expect(after.share == 20 && after.losses.value == 1)
        await after.stop()
        await server.stop()
    }

    @Test("A service that hardly used its cache does without a ramp")
    func little() async throws {
        let server = try await TestRedis.start()
        let url = try await TestPostgres.shared().createDatabase()
        let replica = try await Replica(server: server, url: url, clock: clock, minimumHits: 20)
        await replica.controller.look()
        try await flush(server)
        await replica.controller.look()
        #expect(replica.stage == .idle && replica.share == 100)
        #expect(replica.fixture.cache.generation != nil)
        await replica.stop()
        await server.stop()
    }

    @Test("A database that was set back starts the ramp, and what was cached of its future is forgotten")
    func setBack() async throws {
        let server = try await TestRedis.start()
        let url = try await TestPostgres.shared().createDatabase()
        let replica = try await Replica(server: server, url: url, clock: clock)
        for _ in 0..<2 { await replica.controller.look() }
        let before = try #require(replica.fixture.cache.generation)
        // The row of ten minutes ago, as a restore would bring it back.
        try await replica.database.query(
            "UPDATE warmup SET marked_at = marked_at - interval '10 minutes'", deadline: .after(.seconds(5)))
        for _ in 0..<6 { await replica.controller.look() }
        #expect(replica.stage == .first)
        let reason = try #require(replica.controller.report.reason)
        #expect(reason.hasPrefix("the database was set back by "))
        #expect(replica.fixture.cache.generation != before)
        let started = replica.controller.report.started
        for _ in 0..<6 { await replica.controller.look() }
        #expect(replica.controller.report.started == started)
        await replica.stop()
        await server.stop()
    }

    @Test("Hot keys are loaded while the first share holds")
    func preloads() async throws {
        let server = try await TestRedis.start()
        let url = try await TestPostgres.shared().createDatabase()
        let replica = try await Replica(server: server, url: url, clock: clock)
        let (tenant, origin) = (UUID(), Origin())
        let names = CacheAside<String>(
            replica.fixture.cache, kind: "name", lifetime: .seconds(60), localLifetime: .zero)
        names.preloading { _, _ in origin.load() }
        let ids = (0..<20).map { _ in UUID() }
        let keys = ids.map { (HotKey(kind: "name", tenantID: tenant, id: $0), 3) }
        try await HotKeyStore(replica.database, limit: 100).add(
            Dictionary(uniqueKeysWithValues: keys), deadline: .after(.seconds(5)))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await replica.controller.run() }
            try await eventually("it knows") { replica.fixture.cache.generation != nil }
            try await flush(server)
            try await eventually("all are loaded") { replica.controller.report.preloaded == 20 }
            group.cancelAll()
        }
        for id in ids {
            _ = try await names.value(of: id, in: tenant, for: id, deadline: .after(.seconds(5))) { origin.load() }
        }
        #expect(origin.loads == 20)
        await replica.stop()
        await server.stop()
    }
}
