import ConnectionKit
import Contracts
import Foundation
import MicroMiddleware
import Postgres
import RabbitMQ
import Synchronization
import TestSupport
import Testing

/// Remembers what it was given, and treats it as the test says.
final class ScriptedPublisher: EventPublisher {
    enum Step: Sendable {
        case accept
        case refuse(confirmed: Int)
        /// Takes the batch and never answers, as a relay sees it that is killed before it can mark.
        case hang
    }

    private let state: Mutex<(published: [CloudEvent], script: [Step], calls: Int)>

    init(_ script: [Step] = []) {
        state = Mutex(([], script, 0))
    }

    var published: [CloudEvent] { state.withLock { $0.published } }
    var calls: Int { state.withLock { $0.calls } }

    func publish(_ events: [CloudEvent], deadline: Deadline) async throws(EventPublishError) {
        let step = state.withLock { state in
            state.calls += 1
            let step = state.script.isEmpty ? Step.accept : state.script.removeFirst()
            switch step {
            case .accept, .hang: state.published += events
            case .refuse(let confirmed): state.published += events.prefix(confirmed)
            }
            return step
        }
        switch step {
        case .accept: return
        case .refuse(let confirmed): throw EventPublishError(confirmedPrefix: confirmed, description: "refused")
        case .hang:
            try? await Task.sleep(for: .seconds(60))
            throw EventPublishError(confirmedPrefix: 0, description: "cancelled")
        }
    }
}

struct RelayTests {
    @Test("Committed events are numbered without gaps, linked, and published in order", .timeLimit(.minutes(2)))
    func order() async throws {
        let fixture = try await MessagingFixture.make()
        let publisher = ScriptedPublisher()
        let relay = fixture.relay(publisher)
        try await fixture.running([{ try await relay.run() }]) {
            for start in stride(from: 0, to: 300, by: 30) { try await fixture.commit(start..<(start + 30)) }
            try await eventually("all published") { publisher.published.count == 300 }
            try await eventually("all marked") { try await fixture.head().publishedPosition == 300 }
        }
        expectChained(publisher.published)
        #expect(try await fixture.stream() == publisher.published)
        #expect(publisher.published.map(\.event.subject) == (0..<300).map { "user-\($0)" })
    }

    @Test(
        "What trickles in shares batches, and what takes access away goes out at once", .timeLimit(.minutes(2)))
    func lingers() async throws {
        let fixture = try await MessagingFixture.make()
        let publisher = ScriptedPublisher()
        let relay = fixture.relay(publisher, linger: .seconds(3))
        try await fixture.running([{ try await relay.run() }]) {
            try await fixture.commit(0..<1)
            try await eventually("the first does not wait") { publisher.published.count == 1 }
            let calls = publisher.calls
            for number in 1..<6 { try await fixture.commit(number..<(number + 1)) }
            #expect(publisher.published.count == 1)
            let start = ContinuousClock.now
            fixture.outbox.wake(.now)
            try await eventually("all are published") { publisher.published.count == 6 }
            #expect(start.duration(to: .now) < .seconds(2))
            #expect(publisher.calls == calls + 1)
        }
        expectChained(publisher.published)
    }

    @Test("The fewer events a step finds, the longer the next one waits for more", .timeLimit(.minutes(2)))
    func lingersLonger() async throws {
        let fixture = try await MessagingFixture.make()
        let publisher = ScriptedPublisher()
        let relay = fixture.relay(publisher, batchSize: 200, linger: .milliseconds(5), longLinger: .seconds(3))
        try await fixture.running([{ try await relay.run() }]) {
            try await fixture.commit(0..<1)
            try await eventually("the first does not wait") { publisher.published.count == 1 }
            try await fixture.commit(1..<60)
            try await Task.sleep(for: .milliseconds(300))
            #expect(publisher.published.count == 1)
            fixture.outbox.wake(.now)
            try await eventually("all are published") { publisher.published.count == 60 }
            // After so many there will be more.
            let start = ContinuousClock.now
            try await fixture.commit(60..<61)
            try await eventually("the next does not wait") { publisher.published.count == 61 }
            #expect(start.duration(to: .now) < .seconds(2))
        }
        expectChained(publisher.published)
    }

    @Test("A transaction that commits late is numbered late and not skipped", .timeLimit(.minutes(2)))
    func lateCommit() async throws {
        let fixture = try await MessagingFixture.make()
        let publisher = ScriptedPublisher()
        let relay = fixture.relay(publisher)
        let late = try DomainEvent(
            type: .userUpdated, subject: "late", tenantID: DefaultTenant.id, data: EventDetail())
        try await fixture.running([{ try await relay.run() }]) {
            try await fixture.database.withTransaction(deadline: .after(.seconds(20))) { connection in
                try await fixture.outbox.append(late, on: connection)
                try await fixture.commit(0..<10)
                try await eventually("the others are published") { publisher.published.count == 10 }
            }
            try await eventually("the late one too") { publisher.published.count == 11 }
        }
        expectChained(publisher.published)
        #expect(publisher.published.last?.event.subject == "late")
    }

    @Test("A relay killed between confirm and mark makes duplicates and loses nothing", .timeLimit(.minutes(2)))
    func killedBeforeMark() async throws {
        let fixture = try await MessagingFixture.make()
        let first = ScriptedPublisher([.hang])
        let killed = fixture.relay(first)
        try await fixture.running([{ try await killed.run() }]) {
            try await fixture.commit(0..<20)
            try await eventually("the broker has them") { !first.published.isEmpty }
        }
        #expect(try await fixture.head().publishedPosition == 0)
        let second = ScriptedPublisher()
        let successor = fixture.relay(second)
        try await fixture.running([{ try await successor.run() }]) {
            try await fixture.commit(20..<30)
            try await eventually("everything is published") { second.published.count == 30 }
        }
        expectChained(second.published)
        let duplicates = Set(first.published.map(\.id)).intersection(second.published.map(\.id))
        #expect(duplicates.count == first.published.count)
    }

    @Test("While the broker is away events are numbered, and drain in order once it is back", .timeLimit(.minutes(2)))
    func brokerAway() async throws {
        let fixture = try await MessagingFixture.make()
        let publisher = ScriptedPublisher([.refuse(confirmed: 0), .refuse(confirmed: 7), .refuse(confirmed: 0)])
        let relay = fixture.relay(publisher, batchSize: 20)
        try await fixture.running([{ try await relay.run() }]) {
            try await fixture.commit(0..<100)
            try await eventually("all are numbered") { try await fixture.head().position == 100 }
            try await eventually("all are published") { publisher.published.count == 100 }
            try await eventually("all are marked") { try await fixture.head().publishedPosition == 100 }
        }
        expectChained(publisher.published)
    }

    @Test("Of two relays one works; the other takes over at once when it is gone", .timeLimit(.minutes(2)))
    func takeOver() async throws {
        let fixture = try await MessagingFixture.make()
        let publishers = [ScriptedPublisher(), ScriptedPublisher()]
        let relays = publishers.map { fixture.relay($0) }
        let first = Task { try await relays[0].run() }
        try await fixture.commit(0..<10)
        try await eventually("the first works") { publishers[0].published.count == 10 }
        try await fixture.running([{ try await relays[1].run() }]) {
            try await eventually("the second waits for the lock") {
                try await fixture.database.query(
                    "SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted", deadline: .after(.seconds(5))
                ).count == 1
            }
            try await fixture.commit(10..<20)
            try await eventually("the first still works") { publishers[0].published.count == 20 }
            #expect(publishers[1].calls == 0)
            first.cancel()
            _ = await first.result
            let start = ContinuousClock.now
            try await fixture.commit(20..<30)
            try await eventually("the second has taken over") { publishers[1].published.count == 10 }
            #expect(ContinuousClock.now - start < .seconds(2))
        }
        expectChained(publishers[0].published + publishers[1].published)
    }

    @Test("A relay whose connection the server ends goes on by itself", .timeLimit(.minutes(2)))
    func lostConnection() async throws {
        let fixture = try await MessagingFixture.make()
        let publisher = ScriptedPublisher()
        let relay = fixture.relay(publisher)
        try await fixture.running([{ try await relay.run() }]) {
            try await fixture.commit(0..<10)
            try await eventually("it works") { publisher.published.count == 10 }
            try await fixture.database.query(
                """
                SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE application_name LIKE '%-relay' AND datname = current_database()
                """, deadline: .after(.seconds(5)))
            try await fixture.commit(10..<20)
            try await eventually("it works again") { Set(publisher.published.map(\.id)).count == 20 }
        }
        expectChained(try await fixture.stream())
    }

    @Test("An idle relay asks its database a few times a second and no more", .timeLimit(.minutes(2)))
    func idle() async throws {
        let fixture = try await MessagingFixture.make()
        let publisher = ScriptedPublisher()
        let relay = OutboxRelay(
            source: .identity, outbox: fixture.outbox, database: fixture.database.configuration, publisher: publisher,
            metrics: fixture.metrics, logger: fixture.logger)
        try await fixture.running([{ try await relay.run() }]) {
            try await fixture.commit(0..<1)
            try await eventually("it works") { publisher.published.count == 1 }
            try await Task.sleep(for: .seconds(1))
            // A look rests for 250 ms; its first rests are shorter, and the counters are up to a second late.
            let (begin, before) = (ContinuousClock.now, try await fixture.transactions())
            try await Task.sleep(for: .seconds(4))
            let spent = try await fixture.transactions() - before
            #expect(Double(spent) < 10 * (begin.duration(to: .now) / .seconds(1) + 1))
        }
    }

    @Test("Only what is published, reconciled and older than the window is dropped", .timeLimit(.minutes(2)))
    func dropping() async throws {
        let fixture = try await MessagingFixture.make()
        let relay = fixture.relay(ScriptedPublisher())
        try await fixture.running([{ try await relay.run() }]) {
            try await fixture.commit(0..<10)
            try await eventually("published") { try await fixture.head().publishedPosition == 10 }
        }
        let deadline = Deadline.after(.seconds(10))
        try await fixture.database.query(EventStream.dropSQL(olderThan: .zero), deadline: deadline)
        #expect(try await fixture.stream().count == 10)
        try await fixture.database.query(EventStream.reconciledSQL(upTo: 6), deadline: deadline)
        try await fixture.database.query(EventStream.dropSQL(olderThan: .seconds(3_600)), deadline: deadline)
        #expect(try await fixture.stream().count == 10)
        try await fixture.database.query(EventStream.dropSQL(olderThan: .zero), deadline: deadline)
        #expect(try await fixture.stream().map(\.position) == [7, 8, 9, 10])
    }
}

extension MessagingFixture {
    fileprivate func transactions() async throws -> Int64 {
        let row = try await database.query(
            """
            SELECT pg_stat_force_next_flush(), xact_commit + xact_rollback AS number FROM pg_stat_database
            WHERE datname = current_database()
            """, deadline: .after(.seconds(5))
        ).first
        return try #require(row).decode(Int64.self, "number")
    }
}
