import ConnectionKit
import Contracts
import Foundation
import IdentityService
import Logging
import MicroMiddleware
import Postgres
import Synchronization
import TestSupport

/// The stores that the contract suite runs on.
enum IdentityStore: String, CaseIterable, Sendable {
    case memory, postgres

    typealias Users = any IdentityRepository & SecondFactorRepository & RememberedDeviceRepository

    func make() async throws -> Users { try await makeWithCodes().users }

    /// A store, its codes, and what its outbox holds.
    func makeWithCodes() async throws -> (
        users: Users, codes: any CodeRepository & EmailChangeRepository,
        events: @Sendable () async throws -> [DomainEvent], tenancy: Tenancy
    ) {
        switch self {
        case .memory:
            let users = InMemoryIdentityRepository()
            return (users, InMemoryCodeRepository(users: users), { await users.events }, Self.tenancy(of: users))
        case .postgres:
            let (client, tenancy) = try await Self.makePostgres()
            let events: @Sendable () async throws -> [DomainEvent] = {
                let sql: SQL =
                    "SELECT id, type, subject, tenant_id, occurred_at, data::text AS data FROM outbox ORDER BY ordinal"
                return try await client.query(sql, deadline: .after(.seconds(5))).map { row in
                    DomainEvent(
                        id: try row.decode(UUID.self, "id"),
                        type: EventType(rawValue: try row.decode(String.self, "type")),
                        subject: try row.decode(String.self, "subject"),
                        tenantID: try row.decode(UUID.self, "tenant_id"),
                        time: EventTime(try row.decode(Date.self, "occurred_at")),
                        json: try row.decode(String.self, "data"))
                }
            }
            return (
                PostgresIdentityRepository(database: client), PostgresCodeRepository(database: client), events, tenancy
            )
        }
    }

    func makeTenancy() async throws -> Tenancy {
        switch self {
        case .memory: return Self.tenancy(of: InMemoryIdentityRepository())
        case .postgres: return try await Self.makePostgres().1
        }
    }

    private static func tenancy(of store: InMemoryIdentityRepository) -> Tenancy {
        Tenancy(
            repository: store, tenants: store, invitations: store, memberships: store, roles: store, directory: store)
    }

    /// As the role that owns the tables, for which the policies hold as they do for the service.
    static func makePostgres() async throws -> (PostgresClient, Tenancy) {
        let client = try await TestPostgres.policed(for: "identity").client
        let tenancy = Tenancy(
            repository: PostgresIdentityRepository(database: client),
            tenants: PostgresTenantRepository(database: client),
            invitations: PostgresInvitationRepository(database: client),
            memberships: PostgresMembershipRepository(database: client),
            roles: PostgresRoleRepository(database: client), directory: PostgresUserDirectory(database: client))
        return (client, tenancy)
    }
}

/// One store, by all that it does.
struct Tenancy {
    let repository: any IdentityRepository
    let tenants: any TenantRepository
    let invitations: any InvitationRepository
    let memberships: any MembershipRepository
    let roles: any RoleRepository
    let directory: any UserDirectory
}

/// Hashes nothing, and counts how often it was asked to.
final class CountingHasher: PasswordHashing {
    private let counted = Mutex(0)
    /// What a hash made with today's parameters begins with.
    let mark: String

    init(mark: String = "v1") {
        self.mark = mark
    }

    var runs: Int { counted.withLock { $0 } }

    func hash(_ password: String, deadline: Deadline) -> String {
        counted.withLock { $0 += 1 }
        return "\(mark):\(password)"
    }

    func verify(_ password: String, against hash: String, deadline: Deadline) -> PasswordVerdict {
        counted.withLock { $0 += 1 }
        let matches = hash.hasSuffix(":\(password)")
        return PasswordVerdict(matches: matches, needsRehash: matches && !hash.hasPrefix(mark))
    }

    func verifyAgainstNothing(_ password: String, deadline: Deadline) {
        counted.withLock { $0 += 1 }
    }
}

/// A session service that is there, or is away.
struct FakeSessions: SessionOpening {
    struct Away: Error {}
    var isAway = false
    /// Which device's token it knows, of whoever asks.
    var trusted: String?
    var opened: (@Sendable (CreateSessionRequest) -> Void)?

    func trusts(_ question: TrustedDeviceQuestion, scope: RequestScope) throws -> Bool {
        if isAway { throw Away() }
        return question.deviceToken == trusted
    }

    func open(_ request: CreateSessionRequest, scope: RequestScope) throws -> CreateSessionAnswer {
        if isAway { throw Away() }
        opened?(request)
        return CreateSessionAnswer(
            refreshToken: "refresh-\(request.sessionID.text)", refreshExpiresAt: Date() + 3_600)
    }

    func withdraw(_ request: WithdrawSessionRequest, scope: RequestScope) throws {
        if isAway { throw Away() }
    }
}

struct FakeTokens: AccessTokenMinting {
    func mint(_ grant: AccessTokenGrant) -> MintedAccessToken {
        let roles = grant.isConfined ? "" : grant.user.roles.joined(separator: ",")
        return MintedAccessToken(token: "access[\(roles)]", expiresIn: 1_800)
    }
}

func makeOrigin() -> RequestOrigin {
    RequestOrigin(ip: "192.0.2.1", userAgent: "test", scope: RequestScope(deadline: .after(.seconds(10))))
}

extension SignInOutcome {
    struct NotSignedIn: Error {}

    /// The tokens of a login that is complete.
    var tokens: SignInAnswer {
        get throws {
            guard case .signedIn(let answer) = self else { throw NotSignedIn() }
            return answer
        }
    }
}
