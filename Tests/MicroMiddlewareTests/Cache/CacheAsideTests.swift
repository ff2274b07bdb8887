import ConnectionKit
import Contracts
import Foundation
import MicroMiddleware
import Postgres
import Redis
import TestSupport
import Testing

@Suite("Cache-aside over a real Redis")
struct CacheAsideTests {
    let id = UUID()
    let tenant = UUID()
    let origin = Origin()

    private func aside(_ cache: ServiceCache, lifetime: Duration = .seconds(60), local: Duration = .zero) -> CacheAside<
        String
    > {
        CacheAside(
            cache, kind: "name", lifetime: lifetime, negativeLifetime: .milliseconds(200), localLifetime: local)
    }

    private func read(_ aside: CacheAside<String>, tenant other: UUID? = nil) async throws -> String? {
        try await aside.value(of: id, in: other ?? tenant, for: id, deadline: .after(.seconds(5))) { origin.load() }
    }

    @Test("A value is loaded once, for each tenant apart; another process finds it")
    func once() async throws {
        let fixture = try await CacheFixture.make()
        let names = aside(fixture.cache)
        for _ in 0..<3 { #expect(try await read(names) == "one") }
        #expect(origin.loads == 1)
        #expect(try await read(names, tenant: UUID()) == "one")
        #expect(origin.loads == 2)
        let other = try await CacheFixture.make(server: fixture.server)
        #expect(try await read(aside(other.cache)) == "one")
        #expect(origin.loads == 2)
        await other.redis.close()
        await fixture.stop()
    }

    @Test("A hundred readers of a key that is not there load it once")
    func herd() async throws {
        let fixture = try await CacheFixture.make()
        let names = aside(fixture.cache)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<100 {
                group.addTask {
                    _ = try await names.value(of: id, in: tenant, for: id, deadline: .after(.seconds(5))) {
                        try await Task.sleep(for: .milliseconds(100))
                        return origin.load()
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(origin.loads == 1)
        await fixture.stop()
    }

    @Test("That there is none is kept too, for a shorter time")
    func negative() async throws {
        let fixture = try await CacheFixture.make()
        let names = aside(fixture.cache)
        origin.set(nil)
        for _ in 0..<3 { #expect(try await read(names) == nil) }
        #expect(origin.loads == 1)
        origin.set("two")
        try await eventually("the absence is forgotten") { try await read(names) == "two" }
        await fixture.stop()
    }

    @Test("Who changed a value reads it changed, also from this process's memory")
    func change() async throws {
        let fixture = try await CacheFixture.make()
        let names = aside(fixture.cache, local: .seconds(10))
        #expect(try await read(names) == "one")
        try await names.changing(id, in: tenant) { origin.set("two") }
        #expect(try await read(names) == "two")
        #expect(try await read(names) == "two")
        #expect(origin.loads == 2)
        await fixture.stop()
    }

    @Test("What was read before a change is not stored after it")
    func slowReader() async throws {
        let fixture = try await CacheFixture.make()
        let other = try await CacheFixture.make(server: fixture.server)
        let (here, there) = (aside(fixture.cache, local: .seconds(10)), aside(other.cache))
        let journal = Journal()
        async let slow = here.value(of: id, in: tenant, for: id, deadline: .after(.seconds(5))) {
            let old = origin.load()
            journal.note("loaded")
            try await journal.wait(for: "changed")
            return old
        }
        try await journal.wait(for: "loaded")
        try await there.changing(id, in: tenant) { origin.set("two") }
        journal.note("changed")
        let seen = try await slow
        #expect(seen == "one")
        #expect(try await read(here) == "two")
        #expect(try await read(there) == "two")
        await other.redis.close()
        await fixture.stop()
    }

    @Test("During a change, and when it fails with its outcome unknown, everybody asks the database")
    func during() async throws {
        struct Refused: Error {}
        let fixture = try await CacheFixture.make()
        let names = aside(fixture.cache)
        #expect(try await read(names) == "one")
        try await names.changing(id, in: tenant) {
            for value in ["two", "three"] {
                origin.set(value)
                let seen = try await read(names)
                #expect(seen == value)
            }
        }
        // What failed for certain is cached again at once.
        await #expect(throws: Refused.self) { try await names.changing(id, in: tenant) { throw Refused() } }
        _ = try await read(names)
        let loads = origin.loads
        _ = try await read(names)
        #expect(origin.loads == loads)
        // What may yet be committed is not.
        await #expect(throws: PostgresError.self) {
            try await names.changing(id, in: tenant) { throw PostgresError(.connectionLost(outcomeUnknown: true)) }
        }
        for _ in 0..<2 { _ = try await read(names) }
        #expect(origin.loads == loads + 2)
        await fixture.stop()
    }

    @Test("Without Redis everything goes on by the database, and what was changed meanwhile is not read from before")
    func away() async throws {
        let fixture = try await CacheFixture.make()
        let names = aside(fixture.cache)
        #expect(try await read(names) == "one")
        await fixture.server.pause()
        let start = ContinuousClock.now
        try await names.changing(id, in: tenant) { origin.set("two") }
        #expect(try await read(names) == "two")
        #expect(ContinuousClock.now - start < .seconds(1))
        await fixture.server.continue()
        // Redis still holds the value of before, and must not be believed until it has been told.
        for _ in 0..<20 {
            #expect(try await read(names) == "two")
            try await Task.sleep(for: .milliseconds(10))
        }
        try await eventually("Redis is told") {
            _ = await fixture.cache.settle()
            let before = origin.loads
            _ = try await read(names)
            _ = try await read(names)
            return origin.loads <= before + 1
        }
        let fresh = try await CacheFixture.make(server: fixture.server)
        #expect(try await read(aside(fresh.cache)) == "two")
        await fresh.redis.close()
        await fixture.stop()
    }

    @Test("Who is not let in gets what is cached, and 503002 for what would have to be loaded")
    func gate() async throws {
        let fixture = try await CacheFixture.make()
        let names = aside(fixture.cache)
        #expect(try await read(names) == "one")
        fixture.cache.setGate { _ in false }
        #expect(try await read(names) == "one")
        let error = try await #require(throws: APIError.self) { try await read(names, tenant: UUID()) }
        #expect(error.code == .warmingUp)
        #expect(origin.loads == 1)
        await fixture.stop()
    }

    @Test("A new generation forgets everything")
    func generation() async throws {
        let fixture = try await CacheFixture.make()
        let names = aside(fixture.cache, local: .seconds(10))
        _ = try await read(names)
        origin.set("two")
        #expect(try await read(names) == "one")
        fixture.cache.generation = "g2"
        #expect(try await read(names) == "two")
        await fixture.stop()
    }
}
