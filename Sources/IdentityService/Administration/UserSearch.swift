package import Foundation
import MicroMiddleware
package import Postgres

/// The statements by which administrators find members, so that none looks at a whole tenant.
///
/// A filter selects few members or many, and no one plan is good for both. So each filter that an index leads to is first
/// asked for its members, up to ``fewest``: are there no more, the page is made of these alone; is every one of them common,
/// the members are walked, newest first, until the page is full.
package struct UserSearch: Sendable {
    /// So many members at most are looked up one by one.
    package static let fewest = 1_000

    private let filter: UserFilter
    private let tenantID: UUID

    package init(_ filter: UserFilter, tenantID: UUID) {
        self.filter = filter
        self.tenantID = tenantID
    }

    /// For each filter that an index leads to, the most selective kind first: its members as `id`, `bound` at most.
    package func probes(bound: Int) -> [SQL] {
        var all: [SQL] = []
        if let identifier = filter.identifier { all.append(identified(by: identifier, bound)) }
        switch filter.status {
        case .disabled: all.append(disabled(bound))
        case .pending: all.append(pending(bound))
        case .active, nil: break
        }
        if let text = filter.text { all.append(named(text, bound)) }
        if let role = filter.role { all.append(holding(role, bound)) }
        return all
    }

    /// Whether one probe says all that is asked for: then its members are the answer, and their number is the total.
    package var isOneProbe: Bool {
        let others = [filter.status == .active, filter.createdFrom != nil, filter.createdBefore != nil]
        return probes(bound: 1).count == 1 && !others.contains(true)
    }

    /// A page of the members, the newest first.
    ///
    /// - Parameter ids: those that a probe found, when they are few; nil to walk through all.
    package func page(among ids: [UUID]?, offset: Int, limit: Int) -> SQL {
        """
        SELECT \(IdentityRows.userColumns) \(members(among: ids))
        ORDER BY m.created_at DESC, m.user_id DESC LIMIT \(limit) OFFSET \(offset)
        """
    }

    /// How many there are in all as `total`, counted up to `bound`.
    package func count(among ids: [UUID]?, bound: Int) -> SQL {
        if ids == nil {
            let probes = probes(bound: bound)
            if isOneProbe, let probe = probes.first { return Self.count(probe) }
            if probes.isEmpty { return Self.count("SELECT \(unnamed) LIMIT \(bound)") }
        }
        return Self.count("SELECT \(members(among: ids)) LIMIT \(bound)")
    }

    private static func count(_ found: SQL) -> SQL {
        "SELECT count(*) AS total FROM (\(found)) AS counted"
    }

    // MARK: - Members by all filters

    private func members(among ids: [UUID]?) -> SQL {
        var sql: SQL =
            """
            FROM memberships m JOIN users u ON u.id = m.user_id
            WHERE m.tenant_id = \(tenantID) AND u.status <> 'deleted'
            """
        if let ids { sql += " AND m.user_id = ANY (\(ids))" }
        if let identifier = filter.identifier { sql += " AND \(Self.isIdentified(by: identifier))" }
        if let text = filter.text { sql += " AND (\(Self.isNamed(text)))" }
        switch filter.status {
        case .active: sql += " AND u.status = 'active' AND m.status = 'active'"
        case .disabled: sql += " AND (u.status = 'disabled' OR m.status = 'suspended')"
        case .pending: sql += " AND m.status = 'pending'"
        case nil: break
        }
        if let role = filter.role {
            sql += """
                 AND EXISTS (SELECT FROM user_roles f
                    WHERE f.user_id = m.user_id AND f.tenant_id = \(tenantID) AND f.role = \(role))
                """
        }
        return sql + period
    }

    /// The same where no probe is, from memberships alone: who is left out is in a small index.
    private var unnamed: SQL {
        let isActive = filter.status == .active
        let status: SQL = isActive ? " AND m.status = 'active'" : ""
        let leftOut: SQL = isActive ? "d.status <> 'active'" : "d.status = 'deleted'"
        return """
            FROM memberships m WHERE m.tenant_id = \(tenantID)\(status)
                AND NOT EXISTS (SELECT FROM users d WHERE d.id = m.user_id AND \(leftOut))\(period)
            """
    }

    private var period: SQL {
        var sql: SQL = ""
        if let from = filter.createdFrom { sql += " AND m.created_at >= \(from)" }
        if let before = filter.createdBefore { sql += " AND m.created_at < \(before)" }
        return sql
    }

    // MARK: - Members by one filter

    private func named(_ text: String, _ bound: Int) -> SQL {
        let guests: SQL =
            """
            (SELECT u.id FROM memberships g JOIN users u ON u.id = g.user_id
            WHERE g.tenant_id = \(tenantID) AND g.is_guest AND u.status <> 'deleted' AND (\(Self.isNamed(text)))
            LIMIT \(bound))
            """
        // In the index's own order, so that no plan begins at the table instead.
        let own = Self.nameColumns.map { column -> SQL in
            """
            (SELECT u.id FROM users u
            WHERE u.tenant_id = \(tenantID) AND u.status <> 'deleted' AND \(Self.begins(column, with: text))
            ORDER BY \(unescaped: column) USING ~<~ LIMIT \(bound))
            """
        }
        return "SELECT id FROM (\(SQL(joining: own + [guests], separator: " UNION "))) AS named LIMIT \(bound)"
    }

    /// One of the tenant's own at most, and guests of the same name.
    private func identified(by identifier: Identifier, _ bound: Int) -> SQL {
        """
        SELECT id FROM (
            (SELECT u.id FROM users u
                WHERE u.tenant_id = \(tenantID) AND u.status <> 'deleted' AND \(Self.isIdentified(by: identifier)))
            UNION (SELECT u.id FROM memberships g JOIN users u ON u.id = g.user_id
                WHERE g.tenant_id = \(tenantID) AND g.is_guest AND u.status <> 'deleted'
                    AND \(Self.isIdentified(by: identifier)) LIMIT \(bound))
        ) AS identified LIMIT \(bound)
        """
    }

    private func disabled(_ bound: Int) -> SQL {
        """
        SELECT id FROM (
            (SELECT u.id FROM users u WHERE u.tenant_id = \(tenantID) AND u.status = 'disabled'
                ORDER BY u.id LIMIT \(bound))
            UNION (SELECT u.id FROM memberships g JOIN users u ON u.id = g.user_id
                WHERE g.tenant_id = \(tenantID) AND g.is_guest AND u.status = 'disabled' LIMIT \(bound))
            UNION (SELECT u.id FROM memberships m JOIN users u ON u.id = m.user_id
                WHERE m.tenant_id = \(tenantID) AND m.status = 'suspended' AND u.status <> 'deleted' LIMIT \(bound))
        ) AS disabled LIMIT \(bound)
        """
    }

    private func pending(_ bound: Int) -> SQL {
        """
        SELECT u.id FROM memberships m JOIN users u ON u.id = m.user_id
        WHERE m.tenant_id = \(tenantID) AND m.status = 'pending' AND u.status <> 'deleted' LIMIT \(bound)
        """
    }

    private func holding(_ role: String, _ bound: Int) -> SQL {
        """
        SELECT u.id FROM user_roles f JOIN users u ON u.id = f.user_id
        WHERE f.tenant_id = \(tenantID) AND f.role = \(role) AND u.status <> 'deleted' LIMIT \(bound)
        """
    }

    private static let nameColumns: [StaticString] = ["u.email_key", "u.username_key", "u.phone_key", "u.name_key"]

    private static func isNamed(_ text: String) -> SQL {
        SQL(joining: nameColumns.map { begins($0, with: text) }, separator: " OR ")
    }

    private static func isIdentified(by identifier: Identifier) -> SQL {
        switch identifier.kind {
        case .email: "u.email_key = \(identifier.key)"
        case .username: "u.username_key = \(identifier.key)"
        case .phone: "u.phone_key = \(identifier.key)"
        }
    }

    /// The operators of text_pattern_ops: a prefix is a range, whatever the collation and however it is planned.
    private static func begins(_ column: StaticString, with text: String) -> SQL {
        "(\(unescaped: column) ~>=~ \(text) AND \(unescaped: column) ~<~ \(text + "\u{10FFFF}"))"
    }
}
