import ConnectionKit
import Foundation
import MicroMiddleware
import Postgres
import Testing

@Suite("The load of a database")
struct DatabaseLoadTests {
    @Test("Is the 95th percentile of the last windows, to 10 %")
    func percentile() throws {
        let load = DatabaseLoad(metrics: MetricsRegistry(), depth: 2)
        #expect(load.roll() == .init(count: 0, p95: nil))
        for milliseconds in 1...100 { load.record(.milliseconds(milliseconds)) }
        let reading = load.roll()
        #expect(reading.count == 100)
        let p95 = try #require(reading.p95) / .milliseconds(1)
        #expect((95...105).contains(p95))
        #expect(load.roll().count == 100)
        #expect(load.roll() == .init(count: 0, p95: nil))
    }

    @Test("Is told of every statement by the client, in transactions too, and shown in the metrics")
    func statements() async throws {
        let metrics = MetricsRegistry()
        // Of one window: the statements of the migrations are forgotten with the next.
        let load = DatabaseLoad(metrics: metrics, depth: 1)
        let database = try await CacheFixture.database(onStatement: load.record)
        _ = load.roll()
        let soon = Deadline.after(.seconds(10))
        try await database.query("SELECT pg_sleep(0.05)", deadline: soon)
        _ = try await database.withTransaction(deadline: soon) { connection in
            try await connection.query("SELECT pg_sleep(0.05)")
        }
        let quick = DatabaseLoad(metrics: MetricsRegistry())
        quick.record(.milliseconds(49))
        let floor = try #require(quick.roll().p95)
        let p95 = try #require(load.roll().p95)
        #expect(p95 >= floor)
        #expect(metrics.prometheusText().contains("authms_database_statement_duration_seconds_count"))
        await database.close()
    }
}
