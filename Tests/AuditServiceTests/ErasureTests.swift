import AuditService
import ConnectionKit
import Contracts
import Foundation
import MicroMiddleware
import Postgres
import TestSupport
import Testing

/// A deleted user's payloads go, and the trail is as provable afterwards as it was before.
@Suite("Erasure")
struct ErasureTests {
    private let ring: KeyRing
    private let copies: CheckpointCopies
    private let ann = UUID.v7()
    private let bob = UUID.v7()
    private let home = UUID.v7()
    private let host = UUID.v7()
    private let address = "192.0.2.77"
    private var deadline: Deadline { .after(.seconds(30)) }

    init() throws {
        ring = try KeyRing.ephemeral()
        copies = try CheckpointCopies(directory: try TestDirectory.make("erasure") + "/copies")
    }

    @Test("takes what could tell the person, in every tenant, and leaves what concerns others", .timeLimit(.minutes(2)))
    func erases() async throws {
        let fixture = try await trail()
        try await sign(fixture)
        let before = try await payloads(fixture)
        try await delete(fixture)
        #expect(try await eraser(fixture).erase(deadline: deadline) == 4)
        #expect(try await eraser(fixture).erase(deadline: deadline) == 0)

        let after = try await payloads(fixture)
        // Ann signed in at home and as a guest, ended a session, and somebody failed to sign in as Ann: then she left.
        let gone = before.keys.filter { after[$0] != before[$0] }.sorted()
        #expect(gone == ["guest", "home", "session", "stranger"])
        #expect(gone.allSatisfy { after[$0] == "erased {}" })
        // What she did to Bob, and Bob to her, is about both.
        #expect(after["by ann"]?.contains(address) == true && after["by bob"]?.contains(address) == true)

        for (tenant, count) in [(home, Int64(3)), (host, 1)] {
            let found = try await verify(tenant, fixture)
            #expect(found.faults.isEmpty, "\(found.faults)")
            #expect(found.erased == count && found.checkpoints == 1)
            #expect(try await fixture.verify(tenant).fault == nil)
        }
    }

    @Test("takes what comes late, too, and tells each chain once", .timeLimit(.minutes(2)))
    func late() async throws {
        let fixture = try await trail()
        try await delete(fixture)
        try await eraser(fixture).erase(deadline: deadline)
        let late = try stream(.session, [("late", "session.refreshed", ann.text, home, ann)])
        try await fixture.store(late)
        #expect(try await eraser(fixture).erase(deadline: deadline) == 1)
        #expect(try await fixture.verify(home).fault == nil)
        #expect(try await !eraser(fixture).tell(deadline: deadline))
    }

    @Test("is found out where no record of the chain tells of it, or of another user", .timeLimit(.minutes(2)))
    func unaccounted() async throws {
        for erasure: SQL in ["gen_random_uuid()", "(SELECT record_id FROM audit_erasures WHERE tenant_id = \(home))"] {
            let fixture = try await trail()
            try await delete(fixture)
            try await eraser(fixture).erase(deadline: deadline)
            try await forge(
                """
                UPDATE audit_records SET message = 'erased', metadata = '{}', ip = NULL, user_agent = NULL,
                    request_id = NULL, erased_by = \(erasure) WHERE operator_id = \(bob.text)
                """, fixture)
            let found = try await verify(home, fixture)
            #expect(found.faults.map(\.kind) == ["erasedUnaccounted"])
            #expect(try await fixture.verify(home).fault?.kind == .erasedUnaccounted)
        }
    }

    @Test("puts nothing in the payload's place", .timeLimit(.minutes(2)))
    func altered() async throws {
        let fixture = try await trail()
        try await delete(fixture)
        try await eraser(fixture).erase(deadline: deadline)
        try await forge("UPDATE audit_records SET message = 'paid' WHERE erased_by IS NOT NULL", fixture)
        #expect(try await verify(home, fixture).faults.map(\.kind) == ["altered"])
    }

    @Test("is refused to whoever owns the tables but for what a record tells of", .timeLimit(.minutes(2)))
    func refused() async throws {
        let fixture = try await trail()
        try await delete(fixture)
        let told: SQL = "(SELECT record_id FROM audit_erasures WHERE tenant_id = \(home))"
        let tombstone: SQL =
            """
            message = 'erased', metadata = '{}', ip = NULL, user_agent = NULL, request_id = NULL, erased_by = \(told)
            """
        for statement: SQL in [
            "UPDATE audit_records SET \(tombstone) WHERE operator_id = \(bob.text)",
            "UPDATE audit_records SET \(tombstone), level = 'critical' WHERE operator_id = \(ann.text)",
            "UPDATE audit_records SET erased_by = \(told) WHERE operator_id = \(ann.text)",
            "UPDATE audit_records SET \(tombstone) WHERE tenant_id = \(host)",
            "DELETE FROM audit_records",
        ] {
            let error = await #expect(throws: PostgresError.self, "\(statement)") {
                try await fixture.query(statement)
            }
            #expect(error?.sqlState == "42501", "\(statement)")
        }
    }

    // MARK: -

    /// Records of Ann at home and elsewhere, and of Bob.
    private func trail() async throws -> AuditFixture {
        let fixture = try await AuditFixture.make()
        try await fixture.store(
            stream(
                .identity,
                [
                    ("home", "identity.login.succeeded", ann.text, home, ann),
                    ("guest", "identity.login.succeeded", ann.text, host, ann),
                    ("stranger", "identity.login.failed", ann.text, home, nil),
                    ("by ann", "identity.user.disabled", bob.text, home, ann),
                    ("by bob", "identity.user.updated", ann.text, home, bob),
                    ("bob", "identity.login.succeeded", bob.text, host, bob),
                    ("session", "session.revoked", UUID.v7().text, home, ann),
                ]))
        return fixture
    }

    /// Identity says that Ann is deleted, and this service's own events come back as they would from the broker.
    private func delete(_ fixture: AuditFixture) async throws {
        let deleted = try DomainEvent(
            type: .userDeleted, subject: ann.text, tenantID: home, data: EventDetail(actorType: "service"))
        try await fixture.store(chained(.identity, [deleted], after: 7))
        let eraser = eraser(fixture)
        #expect(try await eraser.tell(deadline: deadline))
        #expect(try await !eraser.tell(deadline: deadline))
        let told = try await fixture.query(
            """
            SELECT id, subject, tenant_id, occurred_at, data::text AS data FROM outbox
            WHERE type = \(EventType.payloadsErased.rawValue) ORDER BY ordinal
            """
        ).map { row in
            DomainEvent(
                id: try row.decode(UUID.self, "id"), type: .payloadsErased,
                subject: try row.decode(String.self, "subject"), tenantID: try row.decode(UUID.self, "tenant_id"),
                time: EventTime(try row.decode(Date.self, "occurred_at")), json: try row.decode(String.self, "data"))
        }
        #expect(Set(told.map(\.tenantID)) == [home, host] && told.allSatisfy { $0.subject == ann.text })
        #expect(try await eraser.erase(deadline: deadline) == 0, "nothing goes before its record is there")
        try await fixture.store(chained(.audit, told))
    }

    private func stream(
        _ source: EventSource, _ events: [(name: String, type: String, subject: String, tenant: UUID, actor: UUID?)]
    ) throws -> [CloudEvent] {
        try chained(
            source,
            events.map { event in
                try DomainEvent(
                    type: EventType(rawValue: event.type), subject: event.subject, tenantID: event.tenant,
                    time: Date() - 60,
                    data: EventDetail(
                        actorID: event.actor, ip: address, userAgent: "curl", requestID: "r-1", status: .success,
                        message: event.name))
            })
    }

    /// As a source would number them; what was before is not looked at here.
    private func chained(
        _ source: EventSource, _ events: [DomainEvent], after position: Int64 = 0
    ) -> [CloudEvent] {
        var previous = StreamLink.genesis
        return events.enumerated().map { index, event in
            let position = position + Int64(index) + 1
            let hash = StreamLink.hash(source: source.uri, position: position, event: event, previous: previous)
            defer { previous = hash }
            return CloudEvent(
                event: event, source: source.uri, position: position, previousHash: previous, hash: hash)
        }
    }

    private func eraser(_ fixture: AuditFixture) -> PayloadEraser {
        PayloadEraser(fixture.database, outbox: Outbox(), logger: fixture.logger)
    }

    private func sign(_ fixture: AuditFixture) async throws {
        for tenant in [home, host] {
            let made = try await CheckpointStore(fixture.database, ring: ring).make(for: tenant, deadline: deadline)
            try copies.append(try #require(made))
        }
    }

    private func verify(_ tenant: UUID, _ fixture: AuditFixture) async throws -> TrailVerification {
        try await TrailVerifier(fixture.database, ring: ring, copies: copies).verify(tenant, deadline: deadline)
    }

    /// What each record says, by the name that it was stored with.
    private func payloads(_ fixture: AuditFixture) async throws -> [String: String] {
        let rows = try await fixture.query(
            """
            SELECT source_position, concat_ws(' ', message, ip, user_agent, request_id, metadata) AS payload
            FROM audit_records WHERE source = \(EventSource.identity.uri) AND source_position <= 7
            """)
        let names = ["home", "guest", "stranger", "by ann", "by bob", "bob", "session"]
        return try rows.reduce(into: [:]) { payloads, row in
            payloads[names[try row.decode(Int.self, "source_position") - 1]] = try row.decode(String.self, "payload")
        }
    }

    /// As a superuser who switches the triggers off.
    private func forge(_ statement: SQL, _ fixture: AuditFixture) async throws {
        try await fixture.database.withTransaction(deadline: deadline) { connection in
            try await connection.query("SET LOCAL session_replication_role = replica")
            try await connection.query(statement)
        }
    }
}
