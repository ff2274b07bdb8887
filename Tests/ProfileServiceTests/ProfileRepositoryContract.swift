import ConnectionKit
import Contracts
import Foundation
import MicroMiddleware
import Postgres
import ProfileService
import Testing

@Suite("Every store of profiles", .serialized)
struct ProfileRepositoryContract {
    let user = UUID.v7()
    let tenant = UUID.v7()

    @Test("keeps what is written, and counts its versions", arguments: ProfileStore.allCases)
    func keeps(store: ProfileStore) async throws {
        let repository = try await store.make()
        #expect(try await repository.profile(of: user, tenantID: tenant, deadline: soon) == nil)
        let written = try await change(in: repository) {
            $0.fields[.nickname] = .text("Änn \"x\" 😀")
            $0.fields[.customFields] = .map(["desk": .number(7), "on": .truth(true)])
            $0.preferences = ["theme": .text("dark")]
            $0.privacy = [.bio: .tenant]
        }
        #expect(written.version == 1)
        #expect(try await repository.profile(of: user, tenantID: tenant, deadline: soon) == written)
    }

    @Test("lets exactly one of 50 changes of one version win", arguments: ProfileStore.allCases)
    func oneWins(store: ProfileStore) async throws {
        let repository = try await store.make()
        let wins = try await withThrowingTaskGroup(of: Bool.self) { group in
            for number in 0..<50 {
                group.addTask {
                    do {
                        _ = try await change(in: repository, expected: 0) { $0.fields[.nickname] = .text("\(number)") }
                        return true
                    } catch ProfileError.stale {
                        return false
                    }
                }
            }
            return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(wins == 1)
        #expect(try await repository.profile(of: user, tenantID: tenant, deadline: soon)?.version == 1)
    }

    @Test("shows nothing to another tenant, and keeps a guest's profile there apart", arguments: ProfileStore.allCases)
    func tenantsApart(store: ProfileStore) async throws {
        let repository = try await store.make()
        let written = try await change(in: repository) { $0.fields[.nickname] = .text("Ann") }
        let other = UUID.v7()
        #expect(try await repository.profile(of: user, tenantID: other, deadline: soon) == nil)
        #expect(
            try await repository.search("", tenantID: other, offset: 0, limit: 9, deadline: soon).profiles.isEmpty)
        let guest = try await change(in: repository, tenant: other) { $0.fields[.nickname] = .text("Guest") }
        #expect(guest.version == 1 && guest.tenantID == other)
        #expect(try await repository.profile(of: user, tenantID: other, deadline: soon) == guest)
        let found = try await repository.search("guest", tenantID: other, offset: 0, limit: 9, deadline: soon)
        #expect(found.profiles == [guest])
        #expect(try await repository.profile(of: user, tenantID: tenant, deadline: soon) == written)
    }

    @Test("keeps a picture for each tenant of a guest", arguments: ProfileStore.allCases)
    func avatarsApart(store: ProfileStore) async throws {
        let repository = try await store.make()
        let host = UUID.v7()
        for (tenant, byte) in [(tenant, UInt8(1)), (host, 2), (host, 3)] {
            let event = try DomainEvent(
                type: .avatarChanged, subject: user.text, tenantID: tenant, data: EventDetail())
            let avatar = Avatar(contentType: "image/png", width: 1, height: 1, bytes: [byte])
            _ = try await repository.setAvatar(
                avatar, of: user, tenantID: tenant, expected: nil, event: event, deadline: soon)
        }
        func bytes(in tenant: UUID) async throws -> [UInt8]? {
            try await repository.avatar(of: user, tenantID: tenant, deadline: soon)?.avatar.bytes
        }
        #expect(try await bytes(in: tenant) == [1])
        #expect(try await bytes(in: host) == [3])
        _ = try await change(in: repository, tenant: host) { $0.erase() }
        #expect(try await bytes(in: tenant) == [1])
        #expect(try await bytes(in: host) == nil)
    }

    @Test("finds names in any case, and takes no character for a pattern", arguments: ProfileStore.allCases)
    func search(store: ProfileStore) async throws {
        let repository = try await store.make()
        _ = try await change(in: repository) { $0.fields[.firstName] = .text("Ann") }
        for (text, total) in [("aNN", 1), ("", 1), ("%", 0), ("Bob", 0)] {
            let found = try await repository.search(text, tenantID: tenant, offset: 0, limit: 9, deadline: soon)
            #expect(found.total == total, "searching for \(text)")
        }
    }

    @Test("counts no further than a thousand behind the page, however many there are")
    func bounds() async throws {
        let database = try await ProfileStore.database()
        let tenant = UUID.v7()
        try await database.query(
            """
            INSERT INTO profiles (user_id, tenant_id, fields)
            SELECT gen_random_uuid(), \(tenant), '{"nickname": "one of many"}' FROM generate_series(1, 1200)
            """, deadline: soon)
        let repository = PostgresProfileRepository(database: database, outbox: Outbox())
        for (offset, total) in [(0, 1_010), (190, 1_200), (300, 1_200)] {
            let found = try await repository.search(
                "of many", tenantID: tenant, offset: offset, limit: 10, deadline: soon)
            #expect(found.profiles.count == 10 && found.total == total)
        }
    }

    @Test("keeps a picture until something else takes its field", arguments: ProfileStore.allCases)
    func avatars(store: ProfileStore) async throws {
        let repository = try await store.make()
        let avatar = Avatar(contentType: "image/png", width: 3, height: 2, bytes: [1, 2, 3])
        func put(_ avatar: Avatar?) async throws -> Profile {
            let event = try DomainEvent(
                type: .avatarChanged, subject: user.text, tenantID: tenant, data: EventDetail())
            return try await repository.setAvatar(
                avatar, of: user, tenantID: tenant, expected: nil, event: event, deadline: soon)
        }
        func kept(in tenant: UUID) async throws -> Avatar? {
            try await repository.avatar(of: user, tenantID: tenant, deadline: soon)?.avatar
        }
        let profile = try await put(avatar)
        #expect(profile.fields[.avatarURL] == .text(avatar.address(of: user)) && profile.version == 1)
        #expect(try await kept(in: tenant) == avatar)
        #expect(try await kept(in: UUID.v7()) == nil)
        _ = try await change(in: repository) { $0.privacy[.avatarURL] = .private }
        #expect(try await repository.avatar(of: user, tenantID: tenant, deadline: soon)?.visibility == .private)
        _ = try await change(in: repository) { $0.fields[.avatarURL] = .text("https://example.org/a.png") }
        #expect(try await kept(in: tenant) == nil)
        _ = try await put(avatar)
        _ = try await put(nil)
        #expect(try await kept(in: tenant) == nil)
        _ = try await put(avatar)
        _ = try await change(in: repository) { $0.erase() }
        #expect(try await kept(in: tenant) == nil)
    }

    @Test("keeps what a tenant's custom fields are", arguments: ProfileStore.allCases)
    func customFields(store: ProfileStore) async throws {
        let repository = try await store.make()
        let event = try DomainEvent(
            type: .customFieldsChanged, subject: tenant.text, tenantID: tenant, data: EventDetail())
        let schema = CustomFieldSchema(fields: [
            "team": CustomField(type: .string, isRequired: true, options: [.text("blue"), .text("red")])
        ])
        #expect(try await repository.customFields(of: tenant, deadline: soon) == nil)
        try await repository.setCustomFields(schema, of: tenant, event: event, deadline: soon)
        #expect(try await repository.customFields(of: tenant, deadline: soon) == schema)
        #expect(try await repository.customFields(of: UUID.v7(), deadline: soon) == nil)
        let second = try DomainEvent(
            type: .customFieldsChanged, subject: tenant.text, tenantID: tenant, data: EventDetail())
        try await repository.setCustomFields(nil, of: tenant, event: second, deadline: soon)
        #expect(try await repository.customFields(of: tenant, deadline: soon) == nil)
    }

    @Test("records an event with each change, and none with a change that is refused")
    func events() async throws {
        let database = try await ProfileStore.database()
        let repository = PostgresProfileRepository(database: database, outbox: .init())
        _ = try await change(in: repository) { $0.fields[.nickname] = .text("Ann") }
        await #expect(throws: ProfileError.stale) {
            _ = try await change(in: repository, expected: 0) { $0.erase() }
        }
        await #expect(throws: ProfileError.invalid([])) {
            _ = try await change(in: repository) { _ in throw ProfileError.invalid([]) }
        }
        let rows = try await database.query("SELECT type, subject FROM outbox", deadline: soon)
        #expect(try rows.map { try $0.decode(String.self, "type") } == ["profile.updated"])
        #expect(try rows.map { try $0.decode(String.self, "subject") } == [user.text])
    }

    private var soon: Deadline { .after(.seconds(20)) }

    private func change(
        in repository: any ProfileRepository, tenant: UUID? = nil, expected: Int64? = nil,
        _ change: @Sendable (inout Profile) throws -> Void
    ) async throws -> Profile {
        let event = try DomainEvent(
            type: .profileUpdated, subject: user.text, tenantID: tenant ?? self.tenant, data: EventDetail())
        return try await repository.change(
            user, tenantID: tenant ?? self.tenant, expected: expected, event: event, deadline: soon, change)
    }
}
