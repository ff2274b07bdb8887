import ConnectionKit
import Contracts
import Foundation
import LocalStack
import Logging
import Postgres

/// Numbered users, each with three sessions, put straight into the databases of a suite.
struct ScalePopulation: Sendable {
    static let sessionsEach = 3

    private let identity: PostgresClient
    private let session: PostgresClient
    /// Everybody's password, as the service hashed it.
    private let hash: String

    /// Registers one user as people do, whose password all others get.
    static func begin(_ layout: StackLayout, executable: String) async throws -> ScalePopulation {
        let plan = StackPlan(
            layout: layout, secrets: try StackSecrets.load(in: layout), executable: executable, settings: [:])
        let identity = try client(plan.databases[.identity]?.ownURL)
        let session = try client(plan.databases[.session]?.ownURL)
        let target = BenchTarget(gateway: layout.url(of: .gateway), sessionDatabase: "")
        let address = try await target.register(1).first
        let row = try await identity.query(
            "SELECT p.hash FROM passwords p JOIN users u ON u.id = p.user_id WHERE u.email_key = \(address)",
            deadline: .after(.seconds(10))
        ).first
        guard let row else { throw BenchFailure(description: "the user that was registered has no password") }
        return ScalePopulation(identity: identity, session: session, hash: try row.decode(String.self, "hash"))
    }

    private static func client(_ url: String?) throws -> PostgresClient {
        guard let url else { throw BenchFailure(description: "the suite has no such database") }
        var configuration = try PostgresConfiguration(url: url)
        configuration.poolSize = 1
        return PostgresClient(configuration: configuration, logger: Logger(label: "bench"))
    }

    func close() async {
        await identity.close()
        await session.close()
    }

    /// Adds the users from one number up to another, and lets the databases see to their statistics.
    func grow(from first: Int, to end: Int) async throws {
        for statement in users(first, end) { try await identity.query(statement, deadline: .after(.seconds(300))) }
        for statement in sessions(first, end) { try await session.query(statement, deadline: .after(.seconds(300))) }
    }

    // MARK: - Who is who

    static func userID(_ number: Int) -> UUID { id(0x0A, number) }

    static func sessionID(_ number: Int) -> UUID { id(0x5C, number) }

    static func email(_ number: Int) -> String { "scale-\(digits(number))@example.org" }

    /// One in a thousand cannot sign in.
    static func isDisabled(_ number: Int) -> Bool { number % 1_000 == 999 }

    static func digits(_ number: Int) -> String {
        let text = String(number)
        return String(repeating: "0", count: max(0, 6 - text.count)) + text
    }

    private static func id(_ mark: UInt8, _ number: Int) -> UUID {
        func byte(_ place: Int) -> UInt8 { UInt8(truncatingIfNeeded: number >> (8 * place)) }
        return UUID(uuid: (mark, 0, 0, 0, 0, 0, 0x70, 0, 0x80, 0, 0, 0, byte(3), byte(2), byte(1), byte(0)))
    }

    // MARK: - Statements

    private func users(_ first: Int, _ end: Int) -> [SQL] {
        let (from, to) = (Self.userID(first), Self.userID(end - 1))
        return [
            """
            INSERT INTO users (id, tenant_id, email, email_key, username, username_key, name, status, created_at)
            SELECT ('0a000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, \(DefaultTenant.id),
                login || '@example.org', login || '@example.org', login, login, 'Person ' || digits,
                CASE WHEN n % 1000 = 999 THEN 'disabled' ELSE 'active' END, now() - interval '1 second' * (1000000 - n)
            FROM generate_series(\(first), \(end) - 1) AS n,
                LATERAL (SELECT lpad(n::text, 6, '0') AS digits, 'scale-' || lpad(n::text, 6, '0') AS login) AS names
            """,
            """
            INSERT INTO passwords (user_id, tenant_id, hash) SELECT id, tenant_id, \(hash) FROM users
            WHERE id BETWEEN \(from) AND \(to)
            """,
            """
            INSERT INTO user_roles (user_id, tenant_id, role) SELECT id, tenant_id, 'member' FROM users
            WHERE id BETWEEN \(from) AND \(to)
            """,
            """
            INSERT INTO user_roles (user_id, tenant_id, role) SELECT id, tenant_id, 'auditor' FROM users
            WHERE id BETWEEN \(from) AND \(to) AND name LIKE '%001'
            """,
            "VACUUM ANALYZE users, memberships, passwords, user_roles",
        ]
    }

    private func sessions(_ first: Int, _ end: Int) -> [SQL] {
        [
            """
            INSERT INTO sessions (id, tenant_id, user_id, rotated_at, idle_expires_at, absolute_expires_at, auth_time, amr,
                user_snapshot, device, user_agent, ip, last_ip, created_at)
            SELECT ('5c000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, \(DefaultTenant.id), owner, at,
                date_trunc('second', now()) + interval '30 days', date_trunc('second', now()) + interval '90 days', at,
                '{pwd}', jsonb_build_object('id', owner, 'tenant_id', \(DefaultTenant.id)::uuid,
                    'username', login, 'email', login || '@example.org', 'status', 'active',
                    'roles', '["member"]'::jsonb, 'email_verified', false, 'phone_verified', false,
                    'created_at', '2026-01-01T00:00:00.000Z'),
                'curl', 'curl/8.5.0', '127.0.0.1', '127.0.0.1', at
            FROM generate_series(\(first * Self.sessionsEach), \(end * Self.sessionsEach) - 1) AS n, LATERAL (
                SELECT ('0a000000-0000-7000-8000-' || lpad(to_hex(n / 3), 12, '0'))::uuid AS owner,
                    'scale-' || lpad((n / 3)::text, 6, '0') AS login,
                    date_trunc('second', now()) - interval '1 second' * (1000000 - n) / 10 AS at) AS names
            """,
            "VACUUM ANALYZE sessions",
        ]
    }
}
