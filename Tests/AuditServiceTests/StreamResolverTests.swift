import AuditService
import ConnectionKit
import Contracts
import Foundation
import MicroMiddleware
import Postgres
import Testing

/// A source that was restored to an earlier time, and goes on differently from there.
@Suite("A stream in conflict")
struct StreamResolverTests {
    private var deadline: Deadline { .after(.seconds(20)) }

    /// Events that follow on from those of a stream.
    private func continuation(of events: [CloudEvent], _ count: Int) throws -> [CloudEvent] {
        var previous = try #require(events.last)
        return try (0..<count).map { _ in
            let event = try DomainEvent(
                type: .userUpdated, subject: "other", tenantID: DefaultTenant.id, data: EventDetail(status: .success))
            let position = previous.position + 1
            let hash = StreamLink.hash(
                source: previous.source, position: position, event: event, previous: previous.hash)
            previous = CloudEvent(
                event: event, source: previous.source, position: position, previousHash: previous.hash, hash: hash)
            return previous
        }
    }

    /// Makes a database the source of a stream.
    private func install(_ events: [CloudEvent], in fixture: AuditFixture) async throws {
        let last = try #require(events.last)
        try await fixture.query("DELETE FROM stream_events")
        for event in events {
            try await fixture.query(
                """
                INSERT INTO stream_events
                    (position, id, type, subject, tenant_id, occurred_at, data, previous_hash, hash)
                VALUES (\(event.position), \(event.id), \(event.event.type.rawValue), \(event.event.subject),
                    \(event.event.tenantID), \(event.event.time.date), \(event.event.data)::json,
                    \(event.previousHash), \(event.hash))
                """)
        }
        try await fixture.query(
            "UPDATE stream_head SET position = \(last.position), hash = \(last.hash), published_position = 0")
    }

    @Test("It goes on from where its source stands, nothing is lost, and the trail says so", .timeLimit(.minutes(2)))
    func resolves() async throws {
        let (audit, source) = (try await AuditFixture.make(), try await AuditFixture.make())
        let lost = try makeStream(10)
        try await audit.store(lost)
        let restored = Array(lost[..<6])
        let others = try continuation(of: restored, 3)
        try await install(restored + others, in: source)
        let origin = LocalStreamOrigin(source: .identity, database: source.database)
        let reconciler = StreamReconciler(
            origin: origin, store: audit.store, metrics: MetricsRegistry(), logger: audit.logger)
        await reconciler.look()
        #expect(try await audit.store.progress(of: .identity, deadline: deadline).conflict?.position == 9)

        let resolver = StreamResolver(origin: origin, store: audit.store, database: audit.database)
        let resolution = try await resolver.resolve(reason: "restored", by: "an operator", deadline: deadline)
        #expect((resolution.position, resolution.fetched) == (9, 3))
        #expect(try await audit.count() == 13)
        let next = try continuation(of: restored + others, 2)
        try await install(restored + others + next, in: source)
        try await audit.store(next)
        await reconciler.look()
        let progress = try await audit.store.progress(of: .identity, deadline: deadline)
        #expect(progress.conflict == nil && progress.completeTo == 11 && !progress.hasGap)
        #expect(try await audit.verify().fault == nil)
        let event = try #require(
            try await audit.query("SELECT type, data::text AS data FROM outbox").first)
        #expect(try event.decode(String.self, "type") == "audit.stream.resolved")
        #expect(try event.decode(String.self, "data").contains("\"was_complete_to\":\"10\""))
        await #expect(throws: StreamResolverError.noConflict(source: "/authms/identity")) {
            try await resolver.resolve(reason: "again", by: "an operator", deadline: deadline)
        }
    }

    @Test("A source whose events do not lead to its head is not gone on with", .timeLimit(.minutes(2)))
    func unusable() async throws {
        let (audit, source) = (try await AuditFixture.make(), try await AuditFixture.make())
        let events = try makeStream(10)
        try await audit.store(events)
        try await install(Array(events[..<6]), in: source)
        try await source.query("UPDATE stream_head SET hash = sha256('x')")
        let origin = LocalStreamOrigin(source: .identity, database: source.database)
        await StreamReconciler(origin: origin, store: audit.store, metrics: MetricsRegistry(), logger: audit.logger)
            .look()
        await #expect(throws: StreamResolverError.self) {
            try await StreamResolver(origin: origin, store: audit.store, database: audit.database).resolve(
                reason: "restored", by: "an operator", deadline: deadline)
        }
        #expect(try await audit.store.progress(of: .identity, deadline: deadline).conflict != nil)
    }
}
