import AuditService
import ConnectionKit
import Contracts
import Foundation
import MicroMiddleware
import Postgres
import Testing

/// What a superuser does who has switched the triggers off.
struct AuditTamperTests {
    private func tampered(_ statement: SQL) async throws -> ChainVerification {
        let fixture = try await AuditFixture.make()
        try await fixture.store(try makeStream(20))
        #expect(try await fixture.verify().fault == nil)
        try await fixture.database.withTransaction(deadline: .after(.seconds(10))) { connection in
            try await connection.query("SET LOCAL session_replication_role = replica")
            #expect(try await connection.query(statement).affectedRows > 0)
        }
        return try await fixture.verify()
    }

    @Test("An altered record is found, whichever column was altered", .timeLimit(.minutes(2)))
    func altered() async throws {
        for change: SQL in [
            "message = 'nothing happened'", "operator_id = 'somebody-else'", "status = 'failure'", "ip = '10.0.0.1'",
            "metadata = '{\"status\":\"success\"}'", "source_position = 99",
            "recorded_at = recorded_at - interval '1 day'",
        ] {
            let verification = try await tampered("UPDATE audit_records SET \(change) WHERE sequence = 7")
            #expect(verification.fault?.kind == .altered, "\(change.text)")
            #expect(verification.fault?.sequence == 7)
        }
    }

    @Test("A chain that is read in parts is whole, and what is wrong in any of them is found", .timeLimit(.minutes(2)))
    func parts() async throws {
        let fixture = try await AuditFixture.make()
        let events = try makeStream(2_500)
        for start in stride(from: 0, to: events.count, by: 500) {
            try await fixture.store(Array(events[start..<(start + 500)]))
        }
        func verify(after place: TenantChain?) async throws -> ChainVerification {
            try await fixture.reader.verify(
                tenantID: DefaultTenant.id, after: place, until: .after(.zero), deadline: .after(.seconds(20)))
        }
        let whole = try await fixture.verify()
        let first = try await verify(after: nil)
        #expect(whole.isComplete && whole.verified == 2_500 && whole.fault == nil)
        #expect(!first.isComplete && first.verified == 1_000 && first.fault == nil)
        var last = first
        for _ in 0..<5 where !last.isComplete { last = try await verify(after: last.place) }
        #expect(last == whole)
        // Another place than the one that was come to is none of this chain.
        let other = TenantChain(tenantID: DefaultTenant.id, sequence: 1_000, hash: whole.hash)
        #expect(try await verify(after: other).fault?.sequence == 1_001)

        try await fixture.database.withTransaction(deadline: .after(.seconds(10))) { connection in
            try await connection.query("SET LOCAL session_replication_role = replica")
            try await connection.query("UPDATE audit_records SET message = 'nothing happened' WHERE sequence = 1500")
        }
        let found = try await verify(after: first.place)
        #expect(found.isComplete && found.verified == 1_499)
        #expect(found.fault?.kind == .altered && found.fault?.sequence == 1_500)
    }

    @Test("A removed record is found", .timeLimit(.minutes(2)))
    func removed() async throws {
        let verification = try await tampered("DELETE FROM audit_records WHERE sequence = 7")
        #expect(verification.fault == ChainFault(kind: .missing, sequence: 7, recordID: nil))
    }

    @Test("A tail that was cut off is found", .timeLimit(.minutes(2)))
    func truncated() async throws {
        let verification = try await tampered("DELETE FROM audit_records WHERE sequence > 15")
        #expect(verification.fault == ChainFault(kind: .truncated, sequence: 16, recordID: nil))
    }

    @Test("Two records that changed places are found", .timeLimit(.minutes(2)))
    func reordered() async throws {
        let verification = try await tampered(
            "UPDATE audit_records SET sequence = 15 - sequence WHERE sequence IN (7, 8)")
        #expect(verification.fault?.sequence == 7)
        #expect(verification.fault?.kind == .unlinked)
    }

    @Test("A record whose hashes were made up to fit is found by the next one", .timeLimit(.minutes(2)))
    func rehashed() async throws {
        let verification = try await tampered(
            "UPDATE audit_records SET payload_hash = sha256('x'), message = 'x' WHERE sequence = 7")
        #expect(verification.fault?.sequence == 7)
    }

    @Test("Update, delete and truncate are refused, on the table and on a partition", .timeLimit(.minutes(2)))
    func refused() async throws {
        let fixture = try await AuditFixture.make()
        try await fixture.store(try makeStream(3, time: try #require(EventTime("2026-11-10T00:00:00Z")).date))
        for statement: SQL in [
            "UPDATE audit_records SET message = 'x'", "DELETE FROM audit_records", "TRUNCATE audit_records",
            "UPDATE audit_records_2026_11 SET message = 'x'", "DELETE FROM audit_records_2026_11",
            "TRUNCATE audit_records_2026_11", "DELETE FROM audit_chains", "TRUNCATE audit_chains",
            "UPDATE audit_chains SET sequence = 1",
        ] {
            await #expect(throws: PostgresError.self, "\(statement.text)") { try await fixture.query(statement) }
        }
        #expect(try await fixture.count() == 3)
    }
}
