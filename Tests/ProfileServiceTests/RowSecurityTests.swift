import ConnectionKit
import Contracts
import Foundation
import MicroMiddleware
import Postgres
import ProfileService
import TestSupport
import Testing

@Suite("Under the profile database's own policies")
struct RowSecurityTests {
    private let mine = UUID.v7()
    private let bob = UUID.v7()
    private let theirs = UUID.v7()
    private let ann = UUID.v7()
    private let schema = CustomFieldSchema(fields: ["team": CustomField(type: .string)])
    private var soon: Deadline { .after(.seconds(10)) }

    @Test("every table that has rows of tenants keeps them apart")
    func guarded() async throws {
        #expect(try await TestPostgres.policed(for: "profile").unguardedTables() == [])
    }

    @Test("what is asked for one tenant shows nothing of another's, whatever the statement says")
    func reading() async throws {
        let (database, profile) = try await populated()
        let forging = try await database.forging()
        let repository = PostgresProfileRepository(database: forging, outbox: Outbox())
        // Of no tenant, the forged statement reaches everything.
        #expect(try await forging.query("SELECT FROM profiles WHERE user_id = \(UUID())", deadline: soon).count == 1)

        #expect(try await repository.profile(of: ann, tenantID: mine, deadline: soon) == nil)
        #expect(try await repository.avatar(of: ann, tenantID: mine, deadline: soon) == nil)
        #expect(try await repository.customFields(of: mine, deadline: soon) == nil)
        let found = try await repository.search("", tenantID: mine, offset: 0, limit: 9, deadline: soon)
        #expect(found.profiles.isEmpty && found.total == 0)

        // And of one's own as much as before.
        #expect(try await repository.profile(of: ann, tenantID: theirs, deadline: soon) == profile)
    }

    @Test("what is done for one tenant changes nothing of another's, whatever the statement says")
    func writing() async throws {
        let (database, profile) = try await populated()
        let repository = PostgresProfileRepository(database: try await database.forging(), outbox: Outbox())
        for user in [ann, bob] {
            let event = try event(of: user, in: mine)
            // Ann may be a guest here, with a profile of her own; a change reaches no further than its tenant.
            _ = try await repository.change(
                user, tenantID: mine, expected: nil, event: event, deadline: soon
            ) { $0.fields[.nickname] = .text("Mallory") }
        }
        let event = try event(of: bob, in: mine)
        _ = try await repository.setAvatar(
            nil, of: bob, tenantID: mine, expected: nil, event: event, deadline: soon)
        try await repository.setCustomFields(nil, of: mine, event: try self.event(of: bob, in: mine), deadline: soon)

        let seen = PostgresProfileRepository(database: database.all, outbox: Outbox())
        #expect(try await seen.profile(of: ann, tenantID: theirs, deadline: soon) == profile)
        #expect(try await seen.avatar(of: ann, tenantID: theirs, deadline: soon) != nil)
        #expect(try await seen.customFields(of: theirs, deadline: soon) == schema)
    }

    @Test("nothing is put into another tenant")
    func intruding() async throws {
        let (database, _) = try await populated()
        for statement: SQL in [
            "UPDATE profiles SET tenant_id = \(theirs)",
            "INSERT INTO profiles (user_id, tenant_id) VALUES (\(UUID()), \(theirs))",
            "INSERT INTO custom_field_schemas (tenant_id, fields) VALUES (\(theirs), '{}')",
            Outbox.insertSQL(try event(of: ann, in: theirs)),
        ] {
            let error = await #expect(throws: PostgresError.self, "\(statement)") {
                try await database.client.acting(for: mine, deadline: soon) { connection in
                    try await connection.query(
                        "INSERT INTO profiles (user_id, tenant_id) VALUES (\(UUID()), \(mine))")
                    try await connection.query(statement)
                }
            }
            #expect(error?.sqlState == "42501", "\(statement)")
        }
    }

    /// One user of another tenant, with a profile and a picture, and that tenant's custom fields.
    private func populated() async throws -> (PolicedDatabase, Profile) {
        let database = try await TestPostgres.policed(for: "profile")
        let repository = PostgresProfileRepository(database: database.client, outbox: Outbox())
        let avatar = Avatar(contentType: "image/png", width: 3, height: 2, bytes: [1, 2, 3])
        let profile = try await repository.setAvatar(
            avatar, of: ann, tenantID: theirs, expected: nil, event: try event(of: ann, in: theirs), deadline: soon)
        try await repository.setCustomFields(
            schema, of: theirs, event: try event(of: ann, in: theirs), deadline: soon)
        return (database, profile)
    }

    private func event(of user: UUID, in tenant: UUID) throws -> DomainEvent {
        try DomainEvent(type: .profileUpdated, subject: user.text, tenantID: tenant, data: EventDetail())
    }
}
