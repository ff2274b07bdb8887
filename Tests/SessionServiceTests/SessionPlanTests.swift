import ConnectionKit
import Contracts
import Foundation
import MicroMiddleware
import Postgres
import SessionService
import TestSupport
import Testing

/// What users and administrators ask for among 60,000 sessions of 20,000 users, one in ten of them ended, as a role that the
/// policies hold for.
@Suite("Among many sessions", .serialized)
struct SessionPlanTests {
    @Test("no refresh and no list reads all sessions", .timeLimit(.minutes(3)))
    func plans() async throws {
        let client = try await Self.among.value
        let user = try await client.query("SELECT user_id FROM sessions LIMIT 1", deadline: Example.deadline)
            .column("user_id", as: UUID.self)
        let someone = try #require(user.first)
        var statements: [(String, SQL)] = [
            (
                "a refresh",
                PostgresSessionRepository.rotation(
                    of: RefreshClaim(sessionID: .v7(), generation: 0), lifetime: Example.lifetime, now: Date(),
                    actor: Example.actor)
            ),
            (
                "a user's list",
                PostgresSessionRepository.sessions(of: someone, tenantID: DefaultTenant.id, now: Date())
            ),
        ]
        for filter in [
            SessionFilter(), SessionFilter(status: .revoked), SessionFilter(status: .all),
            SessionFilter(userID: someone), SessionFilter(status: .all, userID: someone),
            SessionFilter(status: .revoked, userID: someone),
        ] {
            let condition = PostgresSessionRepository.condition(filter, tenantID: DefaultTenant.id, now: Date())
            statements += [
                ("page of \(filter)", PostgresSessionRepository.page(condition, offset: 0, limit: 20)),
                ("count of \(filter)", PostgresSessionRepository.count(condition, bound: 1_020)),
            ]
        }
        for (what, sql) in statements {
            let rows = try await client.query(
                "EXPLAIN (ANALYZE false, FORMAT JSON) \(sql)", deadline: .after(.seconds(20)))
            let plan = try QueryPlan(json: try #require(rows.first).decode(String.self, "QUERY PLAN"))
            #expect(!plan.scannedTables.contains("sessions"), "\(what): \(plan)")
        }
    }

    @Test("a tenant's sessions are counted no further than a page needs", .timeLimit(.minutes(3)))
    func totals() async throws {
        let repository = PostgresSessionRepository(database: try await Self.among.value)
        func total(_ filter: SessionFilter, offset: Int = 0) async throws -> Int {
            try await repository.sessions(
                filter, tenantID: DefaultTenant.id, offset: offset, limit: 20, now: Date(),
                deadline: .after(.seconds(20))
            ).total
        }
        #expect(try await total(SessionFilter(status: .all)) == 1_020)
        #expect(try await total(SessionFilter(status: .revoked), offset: 5_500) == 6_000)
    }

    /// Made once, since these tests only read.
    private static let among = Task { try await populated() }

    private static func populated() async throws -> PostgresClient {
        let client = try await TestPostgres.policed(for: "session").client
        let user = String(decoding: try StrictJSON.encode(Example.user()), as: UTF8.self)
        try await client.query(
            """
            INSERT INTO sessions (id, tenant_id, user_id, rotated_at, idle_expires_at, absolute_expires_at, auth_time, amr,
                user_snapshot, device, ip, last_ip, created_at, revoked_at, revoked_reason)
            SELECT gen_random_uuid(), \(DefaultTenant.id), md5((n / 3)::text)::uuid, at, at + interval '30 days',
                at + interval '90 days', at, '{pwd}', \(user)::jsonb, 'curl', '192.0.2.1', '192.0.2.1', at,
                CASE WHEN n % 10 = 0 THEN at END, CASE WHEN n % 10 = 0 THEN 'logout' END
            FROM generate_series(0, 59999) AS n, LATERAL (SELECT now() - interval '1 second' * (60000 - n) AS at) AS times
            """, deadline: .after(.seconds(60)))
        try await client.query("ANALYZE sessions", deadline: .after(.seconds(60)))
        return client
    }
}
