import ConnectionKit
import Contracts
import Foundation
import Postgres
import SessionService
import TestSupport

/// The stores that the contract suite runs on.
enum SessionStore: String, CaseIterable, Sendable {
    case memory, postgres

    func make() async throws -> any SessionRepository & TrustedDeviceRepository {
        switch self {
        case .memory: InMemorySessionRepository()
        case .postgres: PostgresSessionRepository(database: try await TestPostgres.policed(for: "session").client)
        }
    }

    /// A migrated database of its own.
    static func database() async throws -> PostgresClient {
        try await TestPostgres.migrated(for: "session")
    }
}

/// What a test needs to make sessions without repeating itself.
enum Example {
    static let now = Date(timeIntervalSince1970: 1_800_000_000)
    static let lifetime = SessionLifetime()
    static let actor = SessionActor(ip: "192.0.2.1", userAgent: "curl/8.5.0", requestID: "r-1")
    static var deadline: Deadline { .after(.seconds(10)) }

    static func user(tenant: UUID = DefaultTenant.id) -> UserSnapshot {
        UserSnapshot(
            id: .v7(), tenantID: tenant, username: "ann", email: "ann@example.org", status: "active",
            roles: ["member"], createdAt: now)
    }

    static func session(of user: UserSnapshot, authenticatedAt: Date = now, now: Date = now) -> Session {
        Session(
            id: .v7(), user: user, methods: ["pwd"], authenticatedAt: authenticatedAt, mustChangePassword: false,
            userAgent: "curl/8.5.0", ip: "192.0.2.1", origin: .login, lifetime: lifetime, now: now)
    }

    static func ending(
        _ selection: SessionSelection, tenant: UUID = DefaultTenant.id, reason: RevocationReason = .logout
    ) -> SessionEnding {
        SessionEnding(
            selection, tenantID: tenant, reason: reason, now: now, revokedUntil: now + 1_860, actor: actor)
    }
}
