import ConnectionKit
import Contracts
import Foundation
import Logging
import MicroMiddleware
import Postgres
import SessionService
import Testing

@Suite("Housekeeping in the session database", .serialized)
struct HousekeepingTests {
    private var soon: Deadline { .after(.seconds(20)) }

    @Test("forgets sessions a week after their end, and those erased long ago")
    func deletes() async throws {
        let database = try await SessionStore.database()
        let repository = PostgresSessionRepository(database: database)
        let session = try await opened(in: repository)
        try await database.query(
            """
            INSERT INTO erased_users (user_id, tenant_id, erased_at)
            VALUES (\(UUID.v7()), \(session.tenantID), \(session.absoluteExpiresAt))
            """, deadline: soon)
        let metrics = MetricsRegistry()
        let housekeeping = Housekeeping(
            Sweep.session, database: database,
            telemetry: Telemetry(service: "session", level: .critical, metrics: metrics))
        await housekeeping.sweep(now: session.absoluteExpiresAt + 6 * 86_400)
        #expect(try await repository.session(session.id, tenantID: session.tenantID, deadline: soon) != nil)
        await housekeeping.sweep(now: session.absoluteExpiresAt + 8 * 86_400)
        #expect(try await repository.session(session.id, tenantID: session.tenantID, deadline: soon) == nil)
        await housekeeping.sweep(now: session.absoluteExpiresAt + 91 * 86_400)
        let text = metrics.prometheusText()
        #expect(text.contains("authms_housekeeping_deleted_total{table=\"erased_users\"} 1\n"))
        #expect(!text.contains("authms_housekeeping_failures_total"))
    }

    @Test("leaves out no table whose rows expire")
    func complete() async throws {
        let tables: [String] = try await SessionStore.database().query(
            """
            SELECT DISTINCT table_name::text AS name FROM information_schema.columns
            WHERE table_schema = 'public' AND column_name LIKE '%expires\\_at'
            """, deadline: soon
        ).column("name")
        #expect(!tables.isEmpty && Set(tables).isSubset(of: Sweep.session.map(\.table)))
    }
}
