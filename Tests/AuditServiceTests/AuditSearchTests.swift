import AuditService
import ConnectionKit
import Contracts
import Foundation
import MicroMiddleware
import Testing

/// Finding the records of one request, one session, one address, or a word.
struct AuditSearchTests {
    @Test(
        "Records are found by request, session, address and free text, in their tenant alone", .timeLimit(.minutes(2)))
    func finds() async throws {
        let fixture = try await AuditFixture.make()
        let (session, tenant) = (UUID.v7(), UUID.v7())
        let details = [
            EventDetail(ip: "192.0.2.7", requestID: "req-1", message: "Signed in from a New Phone"),
            EventDetail(sessionID: session, ip: "192.0.2.8", requestID: "req-2", message: "100%_done"),
            EventDetail(message: "nothing", details: ["reason": "Blue Moon"]),
        ]
        for (detail, source) in zip(details, [EventSource.identity, .session, .profile]) {
            try await fixture.store(try makeStream(2, source: source, tenants: [tenant], data: detail))
        }
        try await fixture.store(try makeStream(1, source: .mfa, data: details[0]))

        func count(_ change: (inout AuditQuery) -> Void) async throws -> Int {
            var query = AuditQuery(tenantID: tenant)
            change(&query)
            return try await fixture.reader.records(
                query, page: Page(number: 1, size: 50), deadline: .after(.seconds(10))
            )
            .total
        }
        #expect(try await count { $0.requestID = "req-1" } == 2)
        #expect(try await count { $0.requestID = "req-3" } == 0)
        #expect(try await count { $0.sessionID = session.text } == 2)
        #expect(try await count { $0.ip = "192.0.2.7" } == 2)
        #expect(try await count { $0.text = "new phone" } == 2)
        #expect(try await count { $0.text = "BLUE MOON" } == 2)
        // No character of a text has a meaning of its own.
        #expect(try await count { $0.text = "100%_d" } == 2)
        #expect(try await count { $0.text = "%" } == 2)
        #expect(try await count { $0.text = "'; DROP TABLE audit_records; --" } == 0)
        #expect(
            try await count {
                $0.ip = "192.0.2.7"; $0.text = "nothing"
            } == 0)
    }

    @Test("What no index leads to is searched for within 31 days", .timeLimit(.minutes(3)))
    func bounded() async throws {
        let service = try await RunningAudit.start()
        try await service.run {
            let token = try service.token(user: .v7(), tenant: .v7(), roles: ["auditor"])
            for (query, status, field) in [
                ("q=phone", 200, nil), ("q=x", 422, "q"), ("q=" + String(repeating: "x", count: 101), 422, "q"),
                ("ip=192.0.2.7", 200, nil), ("session_id=7", 422, "session_id"), ("request_id=req-1", 200, nil),
                ("q=phone&start_time=2026-01-01T00:00:00Z&end_time=2026-01-31T00:00:00Z", 200, nil),
                ("q=phone&start_time=2026-01-01T00:00:00Z&end_time=2026-02-28T00:00:00Z", 422, "start_time"),
                ("ip=192.0.2.7&start_time=2020-01-01T00:00:00Z", 422, "start_time"),
                ("request_id=req-1&start_time=2020-01-01T00:00:00Z", 200, nil),
            ] as [(String, Int, String?)] {
                let answer = try await service.get("/api/v1/admin/audit/logs?\(query)", token: token)
                #expect(answer.status == status, "\(query)")
                let fields = (answer.json["violations"] as? [[String: Any]])?.compactMap { $0["field"] as? String }
                #expect(fields?.first == field, "\(query)")
            }
        }
    }
}
