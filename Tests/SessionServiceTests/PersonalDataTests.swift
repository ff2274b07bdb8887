import Contracts
import Foundation
import MicroMiddleware
import Postgres
import SessionService
import TestSupport
import Testing

@Suite("What session holds about a guest")
struct PersonalDataTests {
    @Test("is given out and erased in every tenant that they worked in")
    func everywhere() async throws {
        let database = try await SessionStore.database()
        let repository = PostgresSessionRepository(database: database)
        let (home, host) = (Example.user(), UUID.v7())
        var guest = home
        guest.tenantID = host
        for user in [home, guest] {
            let session = try await opened(in: repository, of: user)
            try await database.query(
                """
                INSERT INTO trusted_devices
                    (id, tenant_id, user_id, session_id, name, token_hash, user_agent, ip, created_at, expires_at)
                VALUES (\(UUID.v7()), \(user.tenantID), \(user.id), \(session.id), 'laptop',
                    \(Array(user.tenantID.text.utf8.prefix(32))), 'curl', '192.0.2.1', now(), now() + interval '1 day')
                """, deadline: Example.deadline)
        }
        let other = try await opened(in: repository)

        for part in PersonalData.session.export(home.id, [home.tenantID]) {
            let text = try #require(
                try await database.query(part.sql, deadline: Example.deadline).first?.decode(String.self, "json"))
            #expect(text.contains(home.tenantID.text) && text.contains(host.text), "\(part.name)")
        }
        for statement in PersonalData.session.erasure(home.id) {
            try await database.query(statement, deadline: Example.deadline)
        }
        for table: SQL in ["sessions", "trusted_devices", "seen_devices"] {
            let left = try await database.query(
                "SELECT FROM \(table) WHERE user_id = \(home.id)", deadline: Example.deadline)
            #expect(left.isEmpty, "\(table)")
        }
        #expect(
            try await repository.session(other.id, tenantID: other.user.tenantID, deadline: Example.deadline) != nil)
    }

    @Test("is found by an index, also when the sessions have ended")
    func indexed() async throws {
        let database = try await SessionStore.database()
        for statement in PersonalData.session.erasure(.v7()) {
            let plan = try await database.withTransaction(deadline: Example.deadline) { connection in
                // However few rows there are.
                try await connection.query("SET LOCAL enable_seqscan = off")
                return try await connection.query("EXPLAIN \(statement)").column("QUERY PLAN", as: String.self)
            }
            #expect(!plan.joined().contains("Seq Scan"), "\(plan)")
        }
    }
}
