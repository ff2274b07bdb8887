import Contracts
import Foundation
import MicroMiddleware
import Postgres
import SessionService
import TestSupport
import Testing

@Suite("Under the session database's own policies")
struct RowSecurityTests {
    private static let mine = UUID.v7()
    private static let theirs = UUID.v7()
    private static let ann = Example.user(tenant: theirs)

    @Test("every table that has rows of tenants keeps them apart")
    func guarded() async throws {
        #expect(try await TestPostgres.policed(for: "session").unguardedTables() == [])
    }

    @Test("what is asked for one tenant shows nothing of another's, whatever the statement says")
    func reading() async throws {
        let (database, session) = try await Self.populated()
        let repository = PostgresSessionRepository(database: try await database.forging())
        let (now, soon) = (Example.now, Example.deadline)
        let (mine, ann) = (Self.mine, Self.ann.id)
        // Whose it is may be asked by whoever holds its refresh token: that is of no tenant, and shows that the forgery works.
        #expect(try await repository.owner(of: UUID(), deadline: soon)?.userID == ann)

        #expect(try await repository.session(session.id, tenantID: mine, deadline: soon) == nil)
        #expect(try await repository.sessions(of: ann, tenantID: mine, now: now, deadline: soon).isEmpty)
        let all = try await repository.sessions(
            SessionFilter(status: .all), tenantID: mine, offset: 0, limit: 10, now: now, deadline: soon)
        #expect(all.sessions.isEmpty && all.total == 0)
        let statistics = try await repository.statistics(of: mine, now: now, deadline: soon)
        #expect(statistics.activeSessions == 0 && statistics.openedToday == 0 && statistics.byDevice.isEmpty)
        let revoked = try await repository.revocations(of: mine, offset: 0, limit: 10, now: now, deadline: soon)
        #expect(revoked.revocations.isEmpty && revoked.total == 0)
        #expect(try await repository.devices(of: ann, tenantID: mine, now: now, deadline: soon).isEmpty)

        // And of one's own as much as before.
        #expect(try await repository.sessions(of: ann, tenantID: Self.theirs, now: now, deadline: soon).count == 1)
    }

    @Test("what is done for one tenant changes nothing of another's, whatever the statement says")
    func writing() async throws {
        let (database, session) = try await Self.populated()
        let repository = PostgresSessionRepository(database: try await database.forging())
        let (mine, ann, soon) = (Self.mine, Self.ann.id, Example.deadline)
        let everything = SessionSelection.all(user: ann, except: nil, authenticatedUntil: nil)
        for selection in [everything, .one(session.id), .these([session.id]), .oneOf(user: ann, id: session.id)] {
            let ended = try await repository.revoke(Example.ending(selection, tenant: mine), deadline: soon)
            #expect(ended.isEmpty, "\(selection)")
        }
        let ending = Example.ending(everything, tenant: mine)
        #expect(try await repository.revokeUser(ann, ending, deadline: soon).map(\.kind) == [.user])
        #expect(try await repository.revokeTenant(mine, ending, deadline: soon).1 == 0)
        try await repository.updateSnapshots(
            of: ann, tenantID: mine, change: SnapshotChange(name: "Mallory"), deadline: soon)
        let device = try Self.device()
        #expect(
            try await !repository.use(
                device.device.tokenHash, of: ann, tenantID: mine, now: Example.now, deadline: soon))
        #expect(
            try await repository.forget(nil, of: ann, tenantID: mine, event: device.event, deadline: soon) == 0)

        let seen = PostgresSessionRepository(database: database.all)
        let after = try #require(try await seen.session(session.id, tenantID: Self.theirs, deadline: soon))
        #expect(after == session)
        let devices = try await seen.devices(of: ann, tenantID: Self.theirs, now: Example.now, deadline: soon)
        #expect(devices.count == 1 && devices.first?.lastUsedAt == nil)
    }

    @Test("nothing is put into another tenant, nor is anything written that belongs to an account alone")
    func intruding() async throws {
        let (database, _) = try await Self.populated()
        let device = try Self.device()
        for statement: SQL in [
            "UPDATE trusted_devices SET tenant_id = \(Self.theirs)",
            "INSERT INTO erased_users (user_id, tenant_id) VALUES (\(UUID()), \(Self.theirs))",
            "INSERT INTO seen_devices (user_id, device, seen_at) SELECT \(UUID()), sha256('x'), now()",
            SQL.outboxInsert(device.event, from: "(SELECT) AS always"),
        ] {
            let error = await #expect(throws: PostgresError.self, "\(statement)") {
                try await database.client.acting(for: Self.mine, deadline: Example.deadline) { connection in
                    try await connection.query(
                        """
                        INSERT INTO trusted_devices (id, tenant_id, user_id, session_id, name, token_hash, created_at, expires_at)
                        SELECT \(UUID()), \(Self.mine), \(UUID()), \(UUID()), 'mine', sha256('mine'), now(), now()
                        """)
                    try await connection.query(statement)
                }
            }
            #expect(error?.sqlState == "42501", "\(statement)")
        }
    }

    /// One user of another tenant, with a session, a device and something revoked.
    private static func populated() async throws -> (PolicedDatabase, Session) {
        let database = try await TestPostgres.policed(for: "session")
        let repository = PostgresSessionRepository(database: database.client)
        let (session, gone) = (Example.session(of: ann), Example.session(of: ann))
        for session in [session, gone] {
            _ = try await repository.insert(
                session, limit: nil, actor: Example.actor, deadline: Example.deadline)
        }
        _ = try await repository.revoke(Example.ending(.one(gone.id), tenant: theirs), deadline: Example.deadline)
        let (device, event) = try device()
        try await repository.add(device, event: event, deadline: Example.deadline)
        return (database, session)
    }

    private static func device() throws -> (device: TrustedDevice, event: DomainEvent) {
        let device = TrustedDevice(
            id: .v7(), tenantID: theirs, userID: ann.id, sessionID: .v7(), name: "phone",
            tokenHash: [UInt8](repeating: 7, count: 32), createdAt: Example.now, expiresAt: Example.now + 86_400)
        return (
            device,
            try DomainEvent(type: .deviceTrusted, subject: ann.id.text, tenantID: theirs, data: EventDetail())
        )
    }
}
