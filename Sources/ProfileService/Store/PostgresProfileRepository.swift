package import ConnectionKit
package import Contracts
package import Foundation
package import MicroMiddleware
package import Postgres

/// The profile database. Everything that is asked of it acts for the tenant that it is asked for, so that the database itself
/// keeps the others' out (migration 0007_row_security), at no round trip more.
package struct PostgresProfileRepository: ProfileRepository {
    let database: PostgresClient
    let outbox: Outbox

    package init(database: PostgresClient, outbox: Outbox) {
        self.database = database
        self.outbox = outbox
    }

    package func profile(of userID: UUID, tenantID: UUID, deadline: Deadline) async throws -> Profile? {
        try await database.query(
            "SELECT \(Self.columns) FROM profiles WHERE user_id = \(userID) AND tenant_id = \(tenantID)",
            actingFor: tenantID, deadline: deadline
        ).first.map(Profile.init(row:))
    }

    /// For all tenants: it is erasure that asks.
    package func tenants(of userID: UUID, deadline: Deadline) async throws -> [UUID] {
        try await database.query("SELECT tenant_id FROM profiles WHERE user_id = \(userID)", deadline: deadline)
            .column("tenant_id")
    }

    package func change(
        _ userID: UUID, tenantID: UUID, expected: Int64?, event: DomainEvent, deadline: Deadline,
        _ change: @Sendable (inout Profile) throws -> Void
    ) async throws -> Profile {
        try await self.change(
            userID, tenantID: tenantID, expected: expected, event: event, deadline: deadline, change
        ) { profile, before, connection in
            // The picture goes with the field that leads to it.
            guard let address = before.fields[.avatarURL], profile.fields[.avatarURL] != address else { return }
            try await connection.query(
                "DELETE FROM avatars WHERE user_id = \(userID) AND tenant_id = \(tenantID)")
        }
    }

    /// As the public one; `finish` writes what else belongs to the change, in the same transaction.
    func change(
        _ userID: UUID, tenantID: UUID, expected: Int64?, event: DomainEvent, deadline: Deadline,
        _ change: @Sendable (inout Profile) throws -> Void,
        finish: @Sendable (Profile, _ before: Profile, PostgresConnection) async throws -> Void
    ) async throws -> Profile {
        let changed = try await database.acting(for: tenantID, deadline: deadline) { connection in
            try await connection.query(
                """
                INSERT INTO profiles (user_id, tenant_id) VALUES (\(userID), \(tenantID)) ON CONFLICT DO NOTHING
                """)
            let row = try await connection.query(
                """
                SELECT \(Self.columns) FROM profiles WHERE user_id = \(userID) AND tenant_id = \(tenantID) FOR UPDATE
                """
            ).first
            guard let row else { throw ProfileError.unknown }
            var profile = try Profile(row: row)
            guard expected == nil || expected == profile.version else { throw ProfileError.stale }
            let before = profile
            try change(&profile)
            profile.version += 1
            try await connection.query(
                """
                UPDATE profiles SET version = \(profile.version), fields = \(try Self.json(profile.fields))::jsonb,
                    preferences = \(try Self.json(profile.preferences))::jsonb,
                    privacy = \(try Self.json(profile.privacy))::jsonb, updated_at = now()
                WHERE user_id = \(userID) AND tenant_id = \(tenantID)
                """)
            try await finish(profile, before, connection)
            try await outbox.append(event, on: connection)
            return profile
        }
        outbox.wake(.soon)
        return changed
    }

    package func search(
        _ text: String, tenantID: UUID, offset: Int, limit: Int, deadline: Deadline
    ) async throws -> (profiles: [Profile], total: Int) {
        let found: SQL =
            """
            FROM profiles WHERE tenant_id = \(tenantID) AND fields <> '{}' AND strpos(lower(concat_ws(' ',
                fields->>'nickname', fields->>'first_name', fields->>'last_name')), lower(\(text)::text)) > 0
            """
        let count: SQL =
            "SELECT count(*) AS total FROM (SELECT \(found) LIMIT \(offset + limit + Page.countedAhead)) AS counted"
        let (rows, total) = try await database.acting(for: tenantID, deadline: deadline) { connection in
            (
                try await connection.query(
                    "SELECT \(Self.columns) \(found) ORDER BY user_id OFFSET \(offset) LIMIT \(limit)"),
                try await connection.query(count).first?.decode(Int.self, "total") ?? 0
            )
        }
        return (try rows.map(Profile.init(row:)), total)
    }

    private static let columns: SQL =
        "user_id, tenant_id, version, fields::text, preferences::text, privacy::text"

    static func json(_ value: some Encodable) throws -> String {
        String(decoding: try StrictJSON.encode(value), as: UTF8.self)
    }
}

extension Profile {
    fileprivate init(row: PostgresRow) throws {
        func json<T: Decodable>(_ type: T.Type, _ column: String) throws -> T {
            try StrictJSON.decode(type, from: Array(try row.decode(String.self, column).utf8))
        }
        self.init(
            userID: try row.decode(UUID.self, "user_id"), tenantID: try row.decode(UUID.self, "tenant_id"),
            version: try row.decode(Int64.self, "version"),
            fields: try json([ProfileField: FieldValue].self, "fields"),
            preferences: try json([String: Scalar].self, "preferences"),
            privacy: try json([ProfileField: Visibility].self, "privacy"))
    }
}
