import ConnectionKit
import Foundation
package import LocalStack
import Logging
import NIOHTTP1
import Postgres

/// Holds what a suite has acknowledged against what it has: audit records, streams, sessions, refused tokens.
package struct Reckoner: Sendable {
    /// Reads the whole trail; what is wrong with it, or nil.
    package typealias VerifyTrail = @Sendable () async throws -> String?

    private let databases: [ServiceRole: PostgresClient]
    private let services: [String]
    private let verifyTrail: VerifyTrail

    /// Reads the databases of the plan's services, directly and not through proxies.
    package init(plan: StackPlan, verifyTrail: @escaping VerifyTrail) throws {
        let logger = Logger(label: "authms.drill") { _ in SwiftLogNoOpLogHandler() }
        databases = try plan.databases.mapValues {
            var configuration = try PostgresConfiguration(url: $0.ownURL)
            configuration.poolSize = 2
            return PostgresClient(configuration: configuration, logger: logger)
        }
        services = [ServiceRole.identity, .session, .profile].map { plan.layout.url(of: $0) }
        self.verifyTrail = verifyTrail
    }

    package func close() async {
        for database in databases.values { await database.close() }
    }

    // MARK: - Records

    /// What the trail has of a change.
    struct Recorded: Sendable {
        var count = 0
        /// When the first record was stored.
        var at: Date?
    }

    /// What the trail has of these changes, in their order.
    func records(of changes: [Ledger.Change], deadline: Deadline) async throws -> [Recorded] {
        guard let database = databases[.audit], !changes.isEmpty else { return [] }
        var records: [Recorded] = []
        for start in stride(from: 0, to: changes.count, by: Self.batch) {
            let part = changes[start..<min(start + Self.batch, changes.count)]
            let keys = part.map(\.key)
            let since = (part.map(\.askedSince).min() ?? .distantPast).addingTimeInterval(-60)
            let rows = try await database.query(
                """
                SELECT action, coalesce(request_id, '') AS request_id, recorded_at, \(ExchangeRecord.columns)
                FROM audit_records
                WHERE occurred_at > \(since) AND (request_id = ANY(\(keys)) AND action <> \(Reckoning.undone)
                    OR action = \(Reckoning.signedOut) AND target_id = ANY(\(keys)))
                """, deadline: deadline)
            // Of this part alone: a login with a second factor is two changes under one id, which may fall into two parts, and
            // each finds the records of both.
            var found: [String: Recorded] = [:]
            var exchanges: [String: [ExchangeRecord]] = [:]
            for row in rows {
                let action = try row.decode(String.self, "action")
                let key = try row.decode(String.self, action == Reckoning.signedOut ? "target_id" : "request_id")
                let at = try row.decode(Date.self, "recorded_at")
                var record = found["\(action) \(key)"] ?? Recorded()
                record.count += 1
                record.at = min(record.at ?? at, at)
                found["\(action) \(key)"] = record
                if action == Reckoning.refreshed { exchanges[key, default: []].append(try ExchangeRecord(row: row)) }
            }
            let several = exchanges.filter { $0.value.count > 1 }
            let sessions = Set(several.values.joined().map(\.session))
            let undone = try await undone(in: sessions, since: since, database, deadline)
            for (key, exchanges) in several {
                found["\(Reckoning.refreshed) \(key)"]?.count = ExchangeRecord.count(
                    exchanges, undone: Set(exchanges.map(\.session)).flatMap { undone[$0] ?? [] })
            }
            records += part.map { found["\($0.action) \($0.key)"] ?? Recorded() }
        }
        return records
    }

    /// The exchanges that were taken back, by session.
    private func undone(
        in sessions: Set<String>, since: Date, _ database: PostgresClient, _ deadline: Deadline
    ) async throws -> [String: [ExchangeRecord]] {
        guard !sessions.isEmpty else { return [:] }
        let rows = try await database.query(
            """
            SELECT \(ExchangeRecord.columns) FROM audit_records
            WHERE occurred_at > \(since) AND action = \(Reckoning.undone) AND target_id = ANY(\(Array(sessions)))
            """, deadline: deadline)
        return Dictionary(grouping: try rows.map { try ExchangeRecord(row: $0, isUndone: true) }, by: \.session)
    }

    private static let batch = 5_000

    // MARK: - Everything at the end

    /// Counts it all, waiting for what is still on its way until the deadline.
    func reckon(_ load: MixedLoad, deadline: Deadline) async throws -> Reckoning {
        var reckoning = Reckoning()
        let changes = load.ledger.changes
        for change in changes { reckoning.acknowledged[change.action, default: 0] += 1 }
        repeat {
            let records = try await records(of: changes, deadline: .after(.seconds(30)))
            reckoning.compare(changes, records)
            reckoning.streams = try await incompleteStreams()
            if reckoning.recordsAreExact, reckoning.streams.isEmpty { break }
            try await Task.sleep(for: .milliseconds(500))
        } while !deadline.hasPassed
        reckoning.trail = try await verifyTrail()
        reckoning.acceptedTokens = load.ledger.accepted + (await acceptedTokens(load))
        reckoning.lostSessions = load.ledger.lost + (await lostSessions(load))
        return reckoning
    }

    /// The streams that are not in the trail up to their head, or have a gap or a broken link where they come from.
    private func incompleteStreams() async throws -> [String] {
        var problems: [String] = []
        for (role, database) in databases.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            let row = try await database.query(
                """
                SELECT (SELECT count(*) FROM outbox) AS waiting, (SELECT position FROM stream_head) AS head, count(*) AS held,
                    coalesce(max(position), 0) AS highest, coalesce(min(position), 1) AS lowest,
                    count(*) FILTER (WHERE previous_hash <> before) AS broken
                FROM (SELECT position, previous_hash, lag(hash) OVER (ORDER BY position) AS before FROM stream_events) e
                """, deadline: .after(.seconds(30))
            ).first
            guard let row else { continue }
            func number(_ name: String) throws -> Int64 { try row.decode(Int64.self, name) }
            let (head, highest) = (try number("head"), try number("highest"))
            if try number("broken") > 0 { problems.append("\(role.rawValue): events are not linked") }
            if try highest != head || number("held") != highest - number("lowest") + 1 {
                problems.append("\(role.rawValue): the stream has a gap before \(head)")
            }
            // Audit's own stream grows by itself, with each checkpoint.
            if role != .audit, try number("waiting") > 0 {
                problems.append("\(role.rawValue): events wait for numbers")
            }
            let held = try await databases[.audit]?.query(
                "SELECT complete_to, conflict FROM audit_streams WHERE source = \("/authms/\(role.rawValue)")",
                deadline: .after(.seconds(30))
            ).first
            let complete = try held?.decode(Int64.self, "complete_to") ?? 0
            if complete < head { problems.append("\(role.rawValue): in the trail up to \(complete) of \(head)") }
            if let conflict = try held?.decode(String?.self, "conflict") {
                problems.append("\(role.rawValue): \(conflict)")
            }
        }
        return problems
    }

    /// Every token that was signed out is shown to the gateway and to each service.
    private func acceptedTokens(_ load: MixedLoad) async -> [String] {
        let places = ["/identity/api/v1/auth/me", services[0] + "/api/v1/auth/me", services[1] + "/api/v1/sessions"]
        return await Self.each(of: load.ledger.ended) { token in
            for place in places {
                let answer = await load.client.send(.GET, place, token: token)
                if answer.isSuccess { return "\(place) takes a signed-out token at the end" }
            }
            return nil
        }
    }

    /// Every session that nobody signed out still refreshes, to a whole pair.
    private func lostSessions(_ load: MixedLoad) async -> [String] {
        await Self.each(of: load.ledger.sessions) { held in
            let answer = await load.client.send(
                .POST, "/identity/api/v1/auth/refresh", ["refresh_token": held.refresh], id: held.pending)
            let isWhole = answer.isSuccess && answer.texts["refresh_token"] != nil && answer.expiresIn != 300
            return isWhole ? nil : "a session's last refresh was answered \(answer.summary)"
        }
    }

    /// What is found wrong with any of them; eight are looked at at a time.
    private static func each<Item: Sendable>(
        of items: [Item], _ problem: @escaping @Sendable (Item) async -> String?
    ) async -> [String] {
        await withTaskGroup(of: String?.self) { group in
            var problems: [String] = []
            for (index, item) in items.enumerated() {
                if index >= 8, let found = await group.next() ?? nil { problems.append(found) }
                group.addTask { await problem(item) }
            }
            for await found in group { if let found { problems.append(found) } }
            return problems
        }
    }
}

extension ExchangeRecord {
    fileprivate static let columns: SQL =
        """
        target_id, message, source_position, metadata->'details'->>'generation' AS generation,
        metadata->'details'->>'edition' AS edition
        """

    /// - Parameter isUndone: whether it is of one that was taken back; it names the generation that is in force again.
    fileprivate init(row: PostgresRow, isUndone: Bool = false) throws {
        let generation = try row.decode(String?.self, "generation").flatMap { Int64($0) }
        let isRegained = try row.decode(String.self, "message") == Reckoning.regained
        self.init(
            isUndone ? .undone : isRegained ? .regained : .exchanged, session: try row.decode("target_id"),
            generation: isUndone ? generation.map { $0 + 1 } : generation,
            edition: try row.decode(String?.self, "edition").flatMap { Int64($0) },
            position: try row.decode("source_position"))
    }
}
