import AuditService
import ConnectionKit
import Contracts
import Foundation
import MicroMiddleware
import Postgres
import TestSupport
import Testing

/// What is searched for among 30,000 records, of which ten each are of a rare kind, failed and critical, as a role that the
/// policies hold for.
struct AuditPlanTests {
    @Test("What is rare in the trail is found by an index, and counted no further than needed", .timeLimit(.minutes(3)))
    func plans() async throws {
        let fixture = try await Self.populated()
        func query(_ change: (inout AuditQuery) -> Void) -> AuditQuery {
            var query = AuditQuery(tenantID: DefaultTenant.id)
            change(&query)
            return query
        }
        let rare: [AuditQuery] = [
            query { $0.action = "session.rare" }, query { $0.action = "session.*" }, query { $0.status = .failure },
            query { $0.level = .critical }, query { $0.userID = "user-7" }, query { $0.requestID = "request-7" },
        ]
        for query in rare {
            for sql in [AuditReader.page(query, Page()), AuditReader.count(query, Page())] {
                let plan = try await Self.plan(of: sql, fixture)
                #expect(plan.scannedTables.isEmpty, "\(query): \(plan)")
            }
        }
        for query in rare.prefix(2) {
            let plan = try await Self.plan(of: AuditReader.page(query, Page()), fixture)
            #expect(plan.usesIndex(naming: "_action_"), "\(query): \(plan)")
        }
        for query in rare.prefix(4) { #expect(try await Self.total(query, fixture) == 10, "\(query)") }
        #expect(try await Self.total(query { $0.action = "identity.*" }, fixture) == 1_020)
        #expect(try await Self.total(AuditQuery(tenantID: DefaultTenant.id), fixture) == 1_020)
    }

    private static func plan(of sql: SQL, _ fixture: AuditFixture) async throws -> QueryPlan {
        let rows = try await fixture.query("EXPLAIN (ANALYZE false, FORMAT JSON) \(sql)")
        return try QueryPlan(json: try #require(rows.first).decode(String.self, "QUERY PLAN"))
    }

    private static func total(_ query: AuditQuery, _ fixture: AuditFixture) async throws -> Int {
        try await fixture.reader.records(query, page: Page(), deadline: .after(.seconds(20))).total
    }

    private static func populated() async throws -> AuditFixture {
        let fixture = AuditFixture.make(try await TestPostgres.policed(for: "audit").client)
        try await fixture.query("SELECT audit_ensure_partition(now()::date)")
        // From this month's first second on, which is in one partition whatever the day.
        try await fixture.query(
            """
            INSERT INTO audit_records (id, occurred_at, tenant_id, sequence, action, module, operator_id, operator_type,
                target_type, target_id, status, level, message, request_id, metadata, source, source_position, source_hash,
                recorded_at, payload_hash, previous_hash, hash)
            SELECT gen_random_uuid(), date_trunc('month', now(), 'UTC') + interval '1 second' * n, \(DefaultTenant.id), n,
                CASE WHEN n % 3000 = 0 THEN 'session.rare' ELSE 'identity.user.updated' END, 'identity', 'user-' || n,
                'user', 'user', 'user-' || n, CASE WHEN n % 3000 = 1 THEN 'failure' ELSE 'success' END,
                CASE WHEN n % 3000 = 2 THEN 'critical' ELSE 'info' END, 'done', 'request-' || n, '{}', '/authms/identity',
                n, nothing, now(), nothing, nothing, nothing
            FROM generate_series(1, 30000) AS n, LATERAL (SELECT decode(repeat('00', 32), 'hex') AS nothing) AS hashes
            """)
        try await fixture.query("ANALYZE audit_records")
        return fixture
    }
}
