import ConnectionKit
import Contracts
import Foundation
import Logging
import MicroMiddleware
import Postgres
import MFAService
import Testing

@Suite("Housekeeping in the mfa database", .serialized)
struct HousekeepingTests {
    private let now = Date(timeIntervalSince1970: 1_800_000_000)
    private var soon: Deadline { .after(.seconds(20)) }

    @Test("forgets challenges an hour after their end")
    func deletes() async throws {
        let database = try await MFAStore.database()
        for (index, seconds) in [-3_700.0, -3_500].enumerated() {
            let (nonce, end) = ([UInt8](repeating: UInt8(index), count: 32), now + seconds)
            try await database.query(
                """
                INSERT INTO challenges (id, user_id, tenant_id, nonce, expires_at)
                VALUES (\(UUID.v7()), \(UUID.v7()), \(UUID.v7()), \(nonce), \(end))
                """, deadline: soon)
            try await database.query(
                """
                INSERT INTO passkey_registrations (nonce, user_id, tenant_id, expires_at)
                VALUES (\(nonce), \(UUID.v7()), \(UUID.v7()), \(end))
                """, deadline: soon)
        }
        let metrics = MetricsRegistry()
        await Housekeeping(
            Sweep.mfa, database: database, telemetry: Telemetry(service: "mfa", level: .critical, metrics: metrics)
        ).sweep(now: now)
        let text = metrics.prometheusText()
        for table in ["challenges", "passkey_registrations"] {
            #expect(text.contains("authms_housekeeping_deleted_total{table=\"\(table)\"} 1\n"))
        }
        #expect(!text.contains("authms_housekeeping_failures_total"))
    }

    @Test("leaves out no table whose rows expire")
    func complete() async throws {
        let tables: [String] = try await MFAStore.database().query(
            """
            SELECT DISTINCT table_name::text AS name FROM information_schema.columns
            WHERE table_schema = 'public' AND column_name LIKE '%expires\\_at'
            """, deadline: soon
        ).column("name")
        #expect(!tables.isEmpty && Set(tables).isSubset(of: Sweep.mfa.map(\.table)))
    }
}
