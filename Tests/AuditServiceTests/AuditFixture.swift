import AuditService
import ConnectionKit
import Contracts
import Foundation
import Logging
import MicroMiddleware
import Postgres
import TestSupport
import Testing

/// An audit database of the test's own.
struct AuditFixture: Sendable {
    let url: String
    let database: PostgresClient
    let store: AuditStore
    let reader: AuditReader
    let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    static let repository = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path

    /// Over a database that is there already, migrated and all.
    static func make(_ database: PostgresClient) -> AuditFixture {
        AuditFixture(url: "", database: database, store: AuditStore(database), reader: AuditReader(database))
    }

    static func make() async throws -> AuditFixture {
        let url = try await TestPostgres.shared().createDatabase()
        let database = PostgresClient(
            configuration: try PostgresConfiguration(url: url),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        try await PostgresMigrator(database).migrate(
            try MigrationSet(directory: "\(repository)/migrations/audit"), deadline: .after(.seconds(30)))
        return AuditFixture(
            url: url, database: database, store: AuditStore(database), reader: AuditReader(database))
    }

    @discardableResult
    func store(_ events: [CloudEvent]) async throws -> AuditStore.Outcome {
        try await store.store(events, deadline: .after(.seconds(20)))
    }

    @discardableResult
    func query(_ sql: SQL) async throws -> PostgresResult {
        try await database.query(sql, deadline: .after(.seconds(20)))
    }

    func verify(_ tenant: UUID = DefaultTenant.id) async throws -> ChainVerification {
        try await reader.verify(tenantID: tenant, deadline: .after(.seconds(20)))
    }

    func count() async throws -> Int {
        try #require(try await query("SELECT count(*) AS n FROM audit_records").first).decode(Int.self, "n")
    }
}

/// A stream as a source would number it.
func makeStream(
    _ count: Int, source: EventSource = .identity, tenants: [UUID] = [DefaultTenant.id],
    time: Date = Date(), data: EventDetail = EventDetail(status: .success, message: "done")
) throws -> [CloudEvent] {
    var previous = StreamLink.genesis
    return try (1...Int64(count)).map { position in
        let event = try DomainEvent(
            type: .userUpdated, subject: "user-\(position)", tenantID: tenants[Int(position) % tenants.count],
            time: time.addingTimeInterval(Double(position) / 1_000), data: data)
        let hash = StreamLink.hash(source: source.uri, position: position, event: event, previous: previous)
        defer { previous = hash }
        return CloudEvent(
            event: event, source: source.uri, position: position, previousHash: previous, hash: hash)
    }
}
