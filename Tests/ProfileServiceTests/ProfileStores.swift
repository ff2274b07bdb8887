import ConnectionKit
import Contracts
import Foundation
import MicroMiddleware
import Postgres
import ProfileService
import TestSupport

/// The stores that the contract suite runs on.
enum ProfileStore: String, CaseIterable, Sendable {
    case memory, postgres

    func make() async throws -> any ProfileRepository {
        switch self {
        case .memory: InMemoryProfileRepository()
        case .postgres:
            PostgresProfileRepository(
                database: try await TestPostgres.policed(for: "profile").client, outbox: Outbox())
        }
    }

    /// A migrated database of its own.
    static func database() async throws -> PostgresClient {
        try await TestPostgres.migrated(for: "profile")
    }
}

/// Profiles in memory, by the same rules.
actor InMemoryProfileRepository: ProfileRepository {
    private struct Key: Hashable {
        let user: UUID
        let tenant: UUID
    }

    private var profiles: [Key: Profile] = [:]
    private var avatars: [Key: Avatar] = [:]
    private var schemas: [UUID: CustomFieldSchema] = [:]

    func profile(of userID: UUID, tenantID: UUID, deadline: Deadline) -> Profile? {
        profiles[Key(user: userID, tenant: tenantID)]
    }

    func tenants(of userID: UUID, deadline: Deadline) -> [UUID] {
        profiles.keys.filter { $0.user == userID }.map(\.tenant)
    }

    func change(
        _ userID: UUID, tenantID: UUID, expected: Int64?, event: DomainEvent, deadline: Deadline,
        _ change: @Sendable (inout Profile) throws -> Void
    ) throws -> Profile {
        let key = Key(user: userID, tenant: tenantID)
        var profile = profiles[key] ?? Profile(userID: userID, tenantID: tenantID)
        guard expected == nil || expected == profile.version else { throw ProfileError.stale }
        let address = profile.fields[.avatarURL]
        try change(&profile)
        profile.version += 1
        profiles[key] = profile
        if let address, profile.fields[.avatarURL] != address { avatars[key] = nil }
        return profile
    }

    func avatar(
        of userID: UUID, tenantID: UUID, deadline: Deadline
    ) -> (avatar: Avatar, visibility: Visibility)? {
        let key = Key(user: userID, tenant: tenantID)
        guard let avatar = avatars[key], let profile = profiles[key] else { return nil }
        return (avatar, profile.visibility(of: .avatarURL))
    }

    func setAvatar(
        _ avatar: Avatar?, of userID: UUID, tenantID: UUID, expected: Int64?, event: DomainEvent, deadline: Deadline
    ) throws -> Profile {
        let profile = try change(
            userID, tenantID: tenantID, expected: expected, event: event, deadline: deadline
        ) {
            $0.fields[.avatarURL] = avatar.map { .text($0.address(of: userID)) }
        }
        avatars[Key(user: userID, tenant: tenantID)] = avatar
        return profile
    }

    func customFields(of tenantID: UUID, deadline: Deadline) -> CustomFieldSchema? { schemas[tenantID] }

    func setCustomFields(
        _ schema: CustomFieldSchema?, of tenantID: UUID, event: DomainEvent, deadline: Deadline
    ) {
        schemas[tenantID] = schema
    }

    func search(
        _ text: String, tenantID: UUID, offset: Int, limit: Int, deadline: Deadline
    ) -> (profiles: [Profile], total: Int) {
        let found = profiles.values.filter { profile in
            let names = [ProfileField.nickname, .firstName, .lastName].compactMap { field -> String? in
                if case .text(let text) = profile.fields[field] { text } else { nil }
            }
            return profile.tenantID == tenantID && !profile.fields.isEmpty
                && (text.isEmpty || names.joined(separator: " ").lowercased().contains(text.lowercased()))
        }.sorted { $0.userID.text < $1.userID.text }
        return (Array(found.dropFirst(offset).prefix(limit)), found.count)
    }
}
