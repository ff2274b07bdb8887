import AsyncHTTPClient
import ConnectionKit
import Foundation
import HTTPTypes
import Hummingbird
import Logging
import MicroMiddleware
import NIOCore
import NIOHTTP1
import Postgres
import ServiceLifecycle
import Testing

@Suite("A running service")
struct LifecycleTests {
    struct Member: Service {
        let name: String
        let journal: Journal

        func run() async throws {
            journal.note("\(name) runs")
            try await gracefulShutdown()
            journal.note("\(name) stops")
        }
    }

    private func application(
        _ journal: Journal, services: [any Service], settings: ServiceSettings = settings(),
        health: HealthRegistry = HealthRegistry(), migration: DatabaseMigration? = nil,
        onListening: @escaping @Sendable (Int) -> Void
    ) throws -> ServiceApplication {
        let router = try Router.service(.silent(), settings: settings)
        router.get("slow") { _, context in
            journal.note("request begins")
            try await Task.sleep(for: .milliseconds(300))
            journal.note("request ends")
            return Envelope("done")
        }
        return ServiceApplication(
            name: "demo", settings: settings, telemetry: .silent(), router: router, services: services,
            health: health, migration: migration, onListening: onListening)
    }

    @Test("It stops in order: readiness, then the listener once its requests are answered, then services in reverse")
    func order() async throws {
        let journal = Journal()
        let health = HealthRegistry()
        try await withRunningService { onListening in
            try application(
                journal, services: [Member(name: "pool", journal: journal), Member(name: "relay", journal: journal)],
                health: health, onListening: onListening)
        } _: { port, group in
            try await journal.wait(for: "pool runs")
            try await journal.wait(for: "relay runs")
            let client = ServiceClient(target: "demo", baseURL: "http://127.0.0.1:\(port)") { "none" }
            async let answer = client.get("/slow", as: String.self, scope: RequestScope(deadline: .after(.seconds(5))))
            try await journal.wait(for: "request begins")
            await group.triggerGracefulShutdown()
            #expect(try await answer == "done")
            #expect(await health.report().status == "stopping")
        }
        #expect(
            journal.all.drop { $0 != "request begins" }
                == ["request begins", "request ends", "relay stops", "pool stops"])
    }

    @Test("While it drains, readiness is red and requests are still answered")
    func drainDelay() async throws {
        let journal = Journal()
        try await withRunningService { onListening in
            try application(
                journal, services: [], settings: settings(["http.drain_delay": "3s"]), onListening: onListening)
        } _: { port, group in
            let client = ServiceClient(target: "demo", baseURL: "http://127.0.0.1:\(port)") { "none" }
            await group.triggerGracefulShutdown()
            var status = 0
            let deadline = Deadline.after(.milliseconds(2_500))
            while status != 503, !deadline.hasPassed {
                do throws(ServiceCallError) {
                    _ = try await client.call(
                        .get, "/readyz", body: nil, scope: RequestScope(deadline: deadline), isIdempotent: false)
                } catch {
                    if case .rejected(_, let answered, _) = error { status = answered }
                }
            }
            #expect(status == 503)
            // Whoever still comes is answered, and told not to come again on this connection.
            let answer = try await HTTPClient.shared.execute(
                HTTPClientRequest(url: "http://127.0.0.1:\(port)/slow"), timeout: .seconds(2))
            #expect(answer.status == .ok)
            #expect(answer.headers.first(name: "connection") == "close")
            _ = try await answer.body.collect(upTo: 65_536)
        }
    }

    @Test("A service that fails takes the others down in order, and its error comes out")
    func failure() async throws {
        struct Broken: Error {}
        struct Failing: Service {
            func run() async throws { throw Broken() }
        }
        let journal = Journal()
        let failing = try application(
            journal, services: [Member(name: "pool", journal: journal), Failing()], onListening: { _ in })
        await #expect(throws: Broken.self) { try await failing.run() }
        #expect(journal.all.last == "pool stops")
    }

    @Test("With its database down it starts all the same, and migrates when the database is there")
    func migratesLater() async throws {
        let journal = Journal()
        let health = HealthRegistry()
        let migration = DatabaseMigration(logger: Telemetry.silent().logger) { _ in
            journal.note("attempt")
            guard journal.count(of: "attempt") >= 3 else { throw PostgresError(.unavailable) }
            journal.note("migrated")
        }
        try await withRunningService { onListening in
            try application(journal, services: [], health: health, migration: migration) { port in
                journal.note("listening")
                onListening(port)
            }
        } _: { _, _ in
            #expect(await health.report().results.first?.problem == "the database has not been migrated yet")
            try await journal.wait(for: "migrated")
            while await !health.report().isReady { try await Task.sleep(for: .milliseconds(2)) }
        }
        #expect(journal.all == ["attempt", "listening", "attempt", "attempt", "migrated"])
    }

    @Test("With its database up it migrates before it listens")
    func migratesFirst() async throws {
        let journal = Journal()
        let migration = DatabaseMigration(logger: Telemetry.silent().logger) { _ in
            try await Task.sleep(for: .milliseconds(50))
            journal.note("migrated")
        }
        try await withRunningService { onListening in
            try application(journal, services: [], migration: migration) { port in
                journal.note("listening")
                onListening(port)
            }
        } _: { _, _ in
        }
        #expect(journal.all == ["migrated", "listening"])
    }

    @Test("A migration that is refused ends the service with the reason")
    func refusedMigration() async throws {
        let migration = DatabaseMigration(logger: Telemetry.silent().logger) { _ in
            throw MigrationError.changed("0001_outbox")
        }
        let refused = try application(Journal(), services: [], migration: migration, onListening: { _ in })
        await #expect(throws: MigrationError.changed("0001_outbox")) { try await refused.run() }
    }

    @Test("A port that is taken ends the service with an error")
    func portTaken() async throws {
        try await withRunningService { onListening in
            try application(Journal(), services: [], onListening: onListening)
        } _: { port, _ in
            let second = try application(
                Journal(), services: [], settings: settings(["http.port": "\(port)"]), onListening: { _ in })
            await #expect(throws: (any Error).self) { try await second.run() }
        }
    }
}
