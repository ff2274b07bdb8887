import AuditService
import ConnectionKit
import Contracts
import Foundation
import MicroMiddleware
import Postgres
import Testing

@Suite("What the trail says of a user")
struct PersonalDataTests {
    private struct Given: Decodable {
        let given: Int
        let total: Int
    }

    private struct Record: Decodable {
        let tenantID: UUID

        enum CodingKeys: String, CodingKey {
            case tenantID = "tenant_id"
        }
    }

    @Test("is given out of every tenant that they belong to, with how many records there are", .timeLimit(.minutes(2)))
    func everywhere() async throws {
        let fixture = try await AuditFixture.make()
        let (user, home, host) = (UUID.v7(), UUID.v7(), UUID.v7())
        try await fixture.store(makeStream(10, tenants: [home, host], data: EventDetail(actorID: user)))
        let records = try await export([Record].self, "records", of: user, in: [home, host], fixture)
        #expect(records.count == 10 && Set(records.map(\.tenantID)) == [home, host])
        let given = try await export(Given.self, "records_given", of: user, in: [home, host], fixture)
        #expect(given.given == 10 && given.total == 10)
        #expect(try await export([Record].self, "records", of: .v7(), in: [home, host], fixture).isEmpty)
    }

    @Test("is no more than one answer holds, and then it says so", .timeLimit(.minutes(2)))
    func bounded() async throws {
        let fixture = try await AuditFixture.make()
        let (user, home) = (UUID.v7(), UUID.v7())
        let detail = EventDetail(actorID: user, message: String(repeating: "m", count: 1_000))
        let events = try makeStream(5_000, tenants: [home], data: detail)
        for start in stride(from: 0, to: events.count, by: 1_000) {
            try await fixture.store(Array(events[start..<(start + 1_000)]))
        }
        let records = try await export([Record].self, "records", of: user, in: [home], fixture)
        let given = try await export(Given.self, "records_given", of: user, in: [home], fixture)
        #expect(given.given == records.count && (1_000..<5_000).contains(given.given) && given.total == 5_000)
    }

    private func export<Value: Decodable>(
        _ type: Value.Type, _ name: String, of user: UUID, in tenants: [UUID], _ fixture: AuditFixture
    ) async throws -> Value {
        let part = try #require(PersonalData.audit.export(user, tenants).first { $0.name == name })
        let text = try #require(try await fixture.query(part.sql).first).decode(String.self, "json")
        return try JSONDecoder().decode(type, from: Data(text.utf8))
    }
}
