import ConnectionKit
import Contracts
import Foundation
import MicroMiddleware
import Postgres
import ProfileService
import Testing

@Suite("What profile holds about a guest")
struct PersonalDataTests {
    private var soon: Deadline { .after(.seconds(20)) }

    @Test("is given out and erased in every tenant that they worked in")
    func everywhere() async throws {
        let database = try await ProfileStore.database()
        let repository = PostgresProfileRepository(database: database, outbox: Outbox())
        let (user, home, host) = (UUID.v7(), UUID.v7(), UUID.v7())
        let avatar = Avatar(contentType: "image/png", width: 1, height: 1, bytes: [1, 2, 3])
        for tenant in [home, host] {
            let event = try DomainEvent(
                type: .avatarChanged, subject: user.text, tenantID: tenant, data: EventDetail())
            _ = try await repository.setAvatar(
                avatar, of: user, tenantID: tenant, expected: nil, event: event, deadline: soon)
        }
        #expect(Set(try await repository.tenants(of: user, deadline: soon)) == [home, host])
        for part in PersonalData.profile.export(user, [home]) {
            let text = try #require(
                try await database.query(part.sql, deadline: soon).first?.decode(String.self, "json"))
            #expect(text.contains(home.text) && text.contains(host.text))
            #expect(text.contains(#""content_base64":"AQID""#) == (part.name == "avatars"), "\(text)")
        }
        for statement in PersonalData.profile.erasure(user) { try await database.query(statement, deadline: soon) }
        #expect(try await database.query("SELECT FROM profiles", deadline: soon).isEmpty)
        #expect(try await database.query("SELECT FROM avatars", deadline: soon).isEmpty)
    }

    @Test("is no more than one answer holds: of pictures that are too many, where they are")
    func bounded() async throws {
        let database = try await ProfileStore.database()
        let repository = PostgresProfileRepository(database: database, outbox: Outbox())
        let user = UUID.v7()
        let avatar = Avatar(
            contentType: "image/png", width: 1, height: 1, bytes: [UInt8](repeating: 7, count: 4_194_304))
        for _ in 0..<2 {
            let event = try DomainEvent(
                type: .avatarChanged, subject: user.text, tenantID: .v7(), data: EventDetail())
            _ = try await repository.setAvatar(
                avatar, of: user, tenantID: event.tenantID, expected: nil, event: event, deadline: soon)
        }
        let part = try #require(PersonalData.profile.export(user, []).first { $0.name == "avatars" })
        let text = try #require(try await database.query(part.sql, deadline: soon).first?.decode(String.self, "json"))
        #expect(text.utf8.count < 6_000_000)
        #expect(text.ranges(of: "\"content_base64\":null").count == 1)
        #expect(text.ranges(of: "/profile/api/v1/profiles/\(user.text)/avatar").count == 2)
    }
}
