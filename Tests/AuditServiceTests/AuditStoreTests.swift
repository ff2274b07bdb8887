import AuditService
import ConnectionKit
import Contracts
import Foundation
import MicroMiddleware
import Postgres
import Testing

struct AuditStoreTests {
    @Test("Delivered twice and shuffled, every event is one record and every chain is whole", .timeLimit(.minutes(2)))
    func duplicatesAndShuffles() async throws {
        let fixture = try await AuditFixture.make()
        let tenants = (0..<3).map { _ in UUID.v7() }
        let events = try makeStream(600, tenants: tenants)
        var deliveries = (events + events).shuffled()
        while !deliveries.isEmpty {
            try await fixture.store(Array(deliveries.prefix(70)))
            deliveries.removeFirst(min(70, deliveries.count))
        }
        #expect(try await fixture.count() == 600)
        for tenant in tenants {
            let verification = try await fixture.verify(tenant)
            #expect(verification.fault == nil)
            #expect(verification.verified == 200)
        }
        let stream = try #require(try await fixture.reader.streams(deadline: .after(.seconds(5))).first)
        #expect(stream.completeTo == 600)
        #expect(stream.hash == events.last?.hash)
        #expect(stream.state == "complete")
        #expect(try await fixture.query("SELECT FROM audit_stream_ahead").isEmpty)
    }

    @Test("What somebody is called is not stored, and chain and stream are whole", .timeLimit(.minutes(2)))
    func withoutPersonal() async throws {
        let fixture = try await AuditFixture.make()
        let told = EventDetail(
            actorID: .v7(), status: .success, details: ["fields": "name"], personal: ["name": "Ann \"/\" Lee"])
        try await fixture.store(makeStream(3, data: told))
        #expect(try await fixture.verify().fault == nil)
        #expect(try await fixture.store.progress(of: .identity, deadline: .after(.seconds(5))).completeTo == 3)
        let rows = try await fixture.query("SELECT row_to_json(r)::text AS record, metadata::text FROM audit_records r")
        #expect(rows.count == 3)
        for row in rows {
            #expect(try !row.decode(String.self, "record").contains("Lee"))
            let kept = try JSONDecoder().decode(
                EventDetail.self, from: Data(try row.decode(String.self, "metadata").utf8))
            #expect(kept.personal == nil && kept.details == ["fields": "name"] && kept.actorID == told.actorID)
        }
    }

    @Test("Two processes that take in the same events at once store each of them once", .timeLimit(.minutes(2)))
    func twoWriters() async throws {
        let fixture = try await AuditFixture.make()
        let events = try makeStream(400)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    for start in stride(from: 0, to: 400, by: 25) {
                        try await fixture.store(Array(events[start..<(start + 25)]).shuffled())
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(try await fixture.count() == 400)
        #expect(try await fixture.verify().fault == nil)
    }

    @Test("A gap is seen, and closes when the missing event arrives", .timeLimit(.minutes(2)))
    func gap() async throws {
        let fixture = try await AuditFixture.make()
        let events = try makeStream(10)
        try await fixture.store(events.filter { $0.position != 4 })
        var progress = try await fixture.store.progress(of: .identity, deadline: .after(.seconds(5)))
        #expect(progress.completeTo == 3)
        #expect(progress.hasGap)
        try await fixture.store([events[3]])
        progress = try await fixture.store.progress(of: .identity, deadline: .after(.seconds(5)))
        #expect(progress.completeTo == 10)
        #expect(!progress.hasGap)
    }

    @Test("An event whose content does not give its hash is refused, and nothing of its batch is stored")
    func brokenLink() async throws {
        let fixture = try await AuditFixture.make()
        let events = try makeStream(3)
        let text = String(decoding: events[1].encoded(), as: UTF8.self).replacing("done", with: "none")
        let forged = try CloudEvent(decoding: Array(text.utf8))
        await #expect(throws: AuditError.brokenLink(source: "/authms/identity", position: 2)) {
            try await fixture.store([events[0], forged, events[2]])
        }
        #expect(try await fixture.count() == 0)
    }

    @Test("An event that claims another's position is kept and reported as a conflict")
    func fork() async throws {
        let fixture = try await AuditFixture.make()
        let (events, others) = (try makeStream(3), try makeStream(3))
        try await fixture.store(events)
        try await fixture.store([others[1]])
        let stream = try #require(try await fixture.reader.streams(deadline: .after(.seconds(5))).first)
        #expect(stream.state == "conflict")
        #expect(stream.conflictPosition == 2)
        #expect(try await fixture.count() == 4)
    }

    @Test("Months have partitions of their own, made when an event needs one")
    func partitions() async throws {
        let fixture = try await AuditFixture.make()
        for time in ["2024-02-29T23:59:59.990Z", "2026-12-31T23:59:59.500Z", "2031-01-01T00:00:00Z"] {
            try await fixture.store(
                try makeStream(5, source: .session, time: try #require(EventTime(time)).date))
        }
        let names = try await fixture.query(
            "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'audit_records'::regclass ORDER BY 1"
        )
        #expect(
            try names.column("name", as: String.self) == [
                "audit_records_2024_02", "audit_records_2026_12", "audit_records_2031_01",
            ])
        #expect(try await fixture.count() == 15)
    }

    @Test("What an event says of who and where becomes columns; whatever else it says cannot hurt")
    func mapping() async throws {
        let fixture = try await AuditFixture.make()
        let actor = UUID()
        var previous = StreamLink.genesis
        let data = [
            EventDetailText.full(actor), #"{"actor_id":7,"message":"a\u0000b","status":"odd","ip":["x"]}"#, "{}",
        ]
        let events = data.enumerated().map { index, json in
            let event = DomainEvent(
                id: .v7(), type: .loginFailed, subject: "u", tenantID: DefaultTenant.id, time: EventTime(Date()),
                json: json)
            let position = Int64(index + 1)
            let hash = StreamLink.hash(
                source: "/authms/identity", position: position, event: event, previous: previous)
            defer { previous = hash }
            return CloudEvent(
                event: event, source: "/authms/identity", position: position, previousHash: previous, hash: hash)
        }
        try await fixture.store(events)
        let query = AuditQuery(tenantID: DefaultTenant.id)
        let records = try await fixture.reader.records(query, page: Page(), deadline: .after(.seconds(5))).records
            .sorted { $0.sourcePosition < $1.sourcePosition }
        #expect(records.map(\.operatorID) == [actor.uuidString.lowercased(), nil, nil])
        #expect(records.map(\.message) == ["wrong password", "ab", "identity login failed"])
        #expect(records.map(\.status) == [.failure, .failure, .failure])
        #expect(records.map(\.targetType) == ["user", "user", "user"])
        #expect(records[0].ip == "192.0.2.7")
        #expect(records.map(\.metadata) == data)
        #expect(try await fixture.verify().fault == nil)
    }
}

private enum EventDetailText {
    static func full(_ actor: UUID) -> String {
        """
        {"actor_id":"\(actor.uuidString.lowercased())","ip":"192.0.2.7","message":"wrong password","request_id":"r-1",\
        "status":"failure","user_agent":"curl"}
        """
    }
}
