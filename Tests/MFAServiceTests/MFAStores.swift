import ConnectionKit
import Contracts
import Foundation
import MFAService
import MicroMiddleware
import Postgres
import TestSupport
import Testing

/// The stores that the contract suite runs on.
enum MFAStore: String, CaseIterable, Sendable {
    case memory, postgres

    func make() async throws -> any MFARepository & PasskeyRepository {
        switch self {
        case .memory: InMemoryMFARepository()
        case .postgres:
            PostgresMFARepository(database: try await TestPostgres.policed(for: "mfa").client, outbox: Outbox())
        }
    }

    /// A migrated database of its own.
    static func database() async throws -> PostgresClient {
        try await TestPostgres.migrated(for: "mfa")
    }
}

/// A clock that stands still until it is set.
final class ManualClock: Sendable {
    private let time: Guarded<Date>

    init(_ date: Date = Date(timeIntervalSince1970: 1_800_000_000)) {
        time = Guarded(date)
    }

    var now: Date { time.withLock { $0 } }
    func advance(_ seconds: Double) { time.withLock { $0 += seconds } }
}

/// An identity service that remembers what it was told, or is away.
actor FakeIdentity: IdentityPort {
    private(set) var states: [UUID: SecondFactorState] = [:]
    private var last: Int64 = 0
    private var isAway = false
    private var isAllowed = true
    private var authorities: [UUID: UserAuthority] = [:]

    func goAway(_ away: Bool = true) { isAway = away }
    func allow(_ allowed: Bool) { isAllowed = allowed }

    func enrolment(of userID: UUID, tenantID: UUID, scope: RequestScope) throws -> MFAEnrolment {
        if isAway { throw APIError(.dependencyUnavailable) }
        return MFAEnrolment(accountName: "ann@example.org", displayName: "Ann", isAllowed: isAllowed)
    }

    func give(
        _ roles: [String], permissions: [String] = [], applications: [String]? = nil, moreElsewhere: Bool? = nil,
        to user: UUID
    ) {
        authorities[user] = UserAuthority(
            roles: roles, permissions: permissions, applications: applications, holdsMoreElsewhere: moreElsewhere)
    }

    func authority(of userID: UUID, tenantID: UUID, scope: RequestScope) throws -> UserAuthority {
        if isAway { throw APIError(.dependencyUnavailable) }
        guard let authority = authorities[userID] else { throw MFAError.unknown }
        return authority
    }

    func tell(_ report: SecondFactorReport, scope: RequestScope) throws -> SecondFactorReceipt {
        if isAway { throw APIError(.dependencyUnavailable) }
        let receipt = SecondFactorReceipt(applied: 0, last: last)
        last = max(last, report.number ?? 0)
        for state in report.users where states[state.userID].map({ $0.version < state.version }) ?? true {
            states[state.userID] = state
        }
        return receipt
    }

    /// What it knows, for ``restore(_:)``.
    func backup() -> Backup { Backup(states: states, last: last) }

    func restore(_ backup: Backup) { (states, last) = (backup.states, backup.last) }

    struct Backup: Sendable {
        fileprivate let states: [UUID: SecondFactorState]
        fileprivate let last: Int64
    }
}

extension TOTPProposal {
    /// As an app reads it.
    func totp() throws -> TOTP {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
        var (bytes, buffer, bits) = ([UInt8](), 0, 0)
        for character in secret {
            buffer = buffer << 5 | (try #require(alphabet.firstIndex(of: character)))
            bits += 5
            if bits >= 8 {
                bits -= 8
                bytes.append(UInt8(buffer >> bits & 255))
            }
            buffer &= (1 << bits) - 1
        }
        return TOTP(secret: Secret(bytes))
    }
}

func makeScope() -> RequestScope { RequestScope(deadline: .after(.seconds(20))) }
