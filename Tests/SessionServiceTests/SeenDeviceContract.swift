import Contracts
import Foundation
import Logging
import MicroMiddleware
import Postgres
import SessionService
import Testing

@Suite("Devices that a user has signed in with, on every store")
struct SeenDeviceContract {
    static let firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"

    private static func session(
        of user: UserSnapshot, _ userAgent: String?, from ip: String?, now: Date = Example.now
    ) -> Session {
        Session(
            id: .v7(), user: user, methods: ["pwd"], authenticatedAt: now, mustChangePassword: false,
            userAgent: userAgent, ip: ip, origin: .login, lifetime: Example.lifetime, now: now)
    }

    @Test("The first is no news, another device or network is, once", arguments: SessionStore.allCases)
    func news(store: SessionStore) async throws {
        let (repository, ann) = (try await store.make(), Example.user())
        func isNews(
            _ userAgent: String?, from ip: String?, isKnown: Bool = false, by user: UserSnapshot? = nil
        ) async throws -> Bool {
            try await repository.insert(
                Self.session(of: user ?? ann, userAgent, from: ip), limit: nil, isKnownDevice: isKnown,
                actor: Example.actor, deadline: Example.deadline
            ).isOnNewDevice
        }
        #expect(try await !isNews("curl/8.5.0", from: "192.0.2.1"))
        // Neither its next version nor its next address there is another device.
        #expect(try await !isNews("curl/8.6.0", from: "192.0.2.99"))
        #expect(try await isNews(Self.firefox, from: "192.0.2.1"))
        #expect(try await !isNews(Self.firefox, from: "192.0.2.1"))
        #expect(try await isNews(Self.firefox, from: "198.51.100.1"))
        // One that has shown who it is, is none; and is known from then on.
        #expect(try await !isNews(Self.firefox, from: "203.0.113.1", isKnown: true))
        #expect(try await !isNews(Self.firefox, from: "203.0.113.1"))
        #expect(try await !isNews(Self.firefox, from: "192.0.2.1", by: Example.user()))
    }

    @Test("With a limit on sessions it is the same, and a session that is there already is no news")
    func limited() async throws {
        for store in SessionStore.allCases {
            let (repository, ann) = (try await store.make(), Example.user())
            let limit = SessionLimit(maximum: 1, atLimit: .endOldest, revokedUntil: Example.now + 1_860)
            let first = try await repository.insert(
                Example.session(of: ann), limit: limit, actor: Example.actor, deadline: Example.deadline)
            #expect(!first.isOnNewDevice)
            let session = Self.session(of: ann, Self.firefox, from: "192.0.2.1", now: Example.now + 1)
            let second = try await repository.insert(
                session, limit: limit, actor: Example.actor, deadline: Example.deadline)
            #expect(second.isOnNewDevice && second.ended.count == 1)
            let again = try await repository.insert(
                session, limit: limit, actor: Example.actor, deadline: Example.deadline)
            #expect(!again.isOnNewDevice)
        }
    }

    @Test("The user is told in an event, which says nothing that a client made up")
    func event() async throws {
        let database = try await SessionStore.database()
        let (repository, ann) = (PostgresSessionRepository(database: database), Example.user())
        for userAgent in ["curl/8.5.0", Self.firefox, "evil.example/1"] {
            _ = try await repository.insert(
                Self.session(of: ann, userAgent, from: "192.0.2.1"), limit: nil,
                actor: SessionActor(ip: "192.0.2.1", userAgent: userAgent), deadline: Example.deadline)
        }
        let rows = try await database.query(
            """
            SELECT subject, data->'details'->>'device' AS device FROM outbox WHERE type = 'session.device.new'
            ORDER BY ordinal
            """, deadline: Example.deadline)
        #expect(try rows.map { try $0.decode(String.self, "subject") } == [ann.id.text, ann.id.text])
        #expect(try rows.map { try $0.decode(String?.self, "device") } == ["Firefox on Linux", nil])
    }

    @Test("A device that does not come again is forgotten, but never a user's last")
    func purge() async throws {
        let database = try await SessionStore.database()
        let (repository, ann) = (PostgresSessionRepository(database: database), Example.user())
        let later = Example.now + 500 * 86_400
        let housekeeping = Housekeeping(
            Sweep.session, database: database, telemetry: Telemetry(service: "session", level: .critical))
        func insert(_ userAgent: String, now: Date) async throws -> Bool {
            try await repository.insert(
                Self.session(of: ann, userAgent, from: "192.0.2.1", now: now), limit: nil, actor: Example.actor,
                deadline: Example.deadline
            ).isOnNewDevice
        }
        #expect(try await !insert("curl/8.5.0", now: Example.now))
        await housekeeping.sweep(now: later)
        #expect(try await insert(Self.firefox, now: later))
        await housekeeping.sweep(now: later)
        #expect(try await insert("curl/8.5.0", now: later))
    }
}
