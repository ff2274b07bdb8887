package import Contracts
package import Foundation
package import Hummingbird
import MicroMiddleware
import Postgres

/// Which records of a tenant are asked for.
package struct AuditQuery: Sendable, Hashable {
    package let tenantID: UUID
    /// Who did it, or to whom it was done.
    package var userID: String?
    /// An event type, or a beginning of one that ends in `.*`: `identity.user.*`.
    package var action: String?
    package var targetType: String?
    package var status: EventStatus?
    package var level: AuditLevel?
    package var start: EventTime?
    package var end: EventTime?
    /// The request that did it, as its `X-Request-Id` named it.
    package var requestID: String?
    package var sessionID: String?
    /// The address that it came from, as it was recorded.
    package var ip: String?
    /// A text that the record says somewhere, in whatever case.
    package var text: String?

    /// The longest time that may be searched for what no index leads to: ``ip`` and ``text``.
    package static let searchWindow = Duration.seconds(31 * 86_400)

    package init(tenantID: UUID) {
        self.tenantID = tenantID
    }

    /// The condition on `audit_records`.
    var condition: SQL {
        var all: [SQL] = ["tenant_id = \(tenantID)"]
        if let userID { all.append("(operator_id = \(userID) OR target_id = \(userID))") }
        if let action {
            if action.hasSuffix(".*") {
                // The operators of text_pattern_ops, which the index has.
                let beginning = String(action.dropLast())
                all.append("action ~>=~ \(beginning) AND action ~<~ \(beginning + "\u{10FFFF}")")
            } else {
                all.append("action = \(action)")
            }
        }
        if let targetType { all.append("target_type = \(targetType)") }
        // What is rare has an index of its own, under a condition that the statement must say by itself.
        if status == .failure { all.append("status <> 'success'") }
        if let status { all.append("status = \(status.rawValue)") }
        if let level, level != .info { all.append("level <> 'info'") }
        if let level { all.append("level = \(level.rawValue)") }
        if let start { all.append("occurred_at >= \(start.date)") }
        if let end { all.append("occurred_at < \(end.date)") }
        if let requestID { all.append("request_id = \(requestID)") }
        if let sessionID { all.append("session_id = \(sessionID)") }
        if let ip { all.append("ip = \(ip)") }
        if let text {
            all.append(
                """
                strpos(lower(concat_ws(' ', message, action, operator_id, target_type, target_id, user_agent, metadata)),
                    lower(\(text))) > 0
                """)
        }
        return SQL(joining: all, separator: " AND ")
    }
}

extension AuditQuery {
    /// Reads `user_id action resource_type status level start_time end_time tenant_id request_id session_id ip q`.
    ///
    /// `ip` and `q` look at 31 days at most: at the last ones where `start_time` is not given.
    ///
    /// - Throws: ``APIError`` 422001 naming every parameter that is wrong; 403001 when another tenant is asked for.
    package init(_ request: Request, tenantID: UUID) throws {
        let parameters = request.uri.queryParameters
        var violations: [Violation] = []
        func text(_ name: String) -> String? {
            guard let value = parameters[Substring(name)], !value.isEmpty else { return nil }
            guard value.utf8.count <= 256 else {
                violations.append(Violation(field: name, message: "must be at most 256 bytes long"))
                return nil
            }
            return String(value)
        }
        func parsed<Value>(_ name: String, _ expected: String, _ parse: (String) -> Value?) -> Value? {
            guard let text = text(name) else { return nil }
            guard let value = parse(text) else {
                violations.append(Violation(field: name, message: "must be \(expected)"))
                return nil
            }
            return value
        }
        self.init(tenantID: tenantID)
        let asked = parsed("tenant_id", "a UUID") { UUID(uuidString: $0) }
        userID = parsed("user_id", "a UUID") { UUID(uuidString: $0)?.text }
        action = text("action")
        targetType = text("resource_type")
        status = parsed("status", "success or failure") { EventStatus(rawValue: $0) }
        level = parsed("level", "info, warning or critical") { AuditLevel(rawValue: $0) }
        // An unescaped plus sign in a query is a blank.
        start = parsed("start_time", "an RFC 3339 time") { EventTime($0.replacing(" ", with: "+")) }
        end = parsed("end_time", "an RFC 3339 time") { EventTime($0.replacing(" ", with: "+")) }
        requestID = text("request_id")
        sessionID = parsed("session_id", "a UUID") { UUID(uuidString: $0)?.text }
        ip = parsed("ip", "an address of at most 45 characters") { $0.utf8.count <= 45 ? $0 : nil }
        self.text = parsed("q", "2 to 100 characters long") { (2...100).contains($0.count) ? $0 : nil }
        if ip != nil || self.text != nil { violations += limitWindow() }
        if let start, let end, end <= start {
            violations.append(Violation(field: "end_time", message: "must be after start_time"))
        }
        guard violations.isEmpty else { throw APIError(.validationFailed, violations: violations) }
        if let asked, asked != tenantID {
            throw APIError(.permissionDenied, "The records of another tenant are not yours to read.")
        }
    }

    /// Begins the search at the window's length before its end where no beginning is given.
    private mutating func limitWindow() -> [Violation] {
        let length = Int64(Self.searchWindow / .milliseconds(1))
        let last = (end ?? EventTime(Date())).milliseconds
        guard let start else {
            self.start = EventTime(milliseconds: last - length)
            return []
        }
        guard last - start.milliseconds > length else { return [] }
        return [Violation(field: "start_time", message: "must be at most 31 days before end_time with ip or q")]
    }
}
