package import Contracts
import Foundation

extension AuditRecord {
    /// The record of an event, not yet in a chain.
    ///
    /// What the event says of who and where is taken where it is there and well-formed; nothing about an event's data
    /// can make it unrecordable, since all of it stays in `metadata`: but for what somebody is called, which is left out.
    package init(_ published: CloudEvent, recordedAt: EventTime) {
        let event = published.event
        let detail = ReadDetail(event.data)
        let words = event.type.rawValue.split(separator: ".").map(String.init)
        id = event.id
        occurredAt = event.time
        tenantID = event.tenantID
        action = event.type.rawValue
        module = event.type.module
        operatorID = detail.text("actor_id", atMost: 128)
        operatorType = detail.text("actor_type", atMost: 32) ?? (operatorID == nil ? "system" : "user")
        targetType = Self.targetType(words)
        targetID = event.subject
        let status = detail.text("status", atMost: 16).flatMap(EventStatus.init) ?? Self.status(words)
        self.status = status
        level = Self.level(event.type, status)
        message =
            detail.text("message", atMost: 1_024)
            ?? words.joined(separator: " ").replacingOccurrences(of: "_", with: " ")
        sessionID = detail.text("session_id", atMost: 64)
        ip = detail.text("ip", atMost: 64)
        userAgent = detail.text("user_agent", atMost: 512)
        requestID = detail.text("request_id", atMost: 128)
        metadata = detail.hasPersonal ? Self.withoutPersonal(event.data) : event.data
        source = published.source
        sourcePosition = published.position
        sourceHash = published.hash
        self.recordedAt = recordedAt
        link = nil
    }

    /// The data without its member `personal`: the trail cannot forget, so it does not learn it. Everything else is left as it was
    /// published, to the letter where there is no such member.
    private static func withoutPersonal(_ json: String) -> String {
        guard var members = try? JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any],
            members.removeValue(forKey: "personal") != nil,
            let rest = try? JSONSerialization.data(
                withJSONObject: members, options: [.sortedKeys, .withoutEscapingSlashes])
        else { return json }
        return String(decoding: rest, as: UTF8.self)
    }

    /// What the subject of an event is, by the event's type.
    private static func targetType(_ words: [String]) -> String {
        guard words.count > 2 else { return words.first ?? "unknown" }
        switch words[1] {
        case "login", "password", "roles", "administrator", "permission", "totp", "challenge", "recovery_codes",
            "recovery_code":
            return "user"
        case "refresh_token": return "session"
        default: return words[1]
        }
    }

    private static func status(_ words: [String]) -> EventStatus {
        ["failed", "denied", "reused"].contains(words.last) ? .failure : .success
    }

    private static func level(_ type: EventType, _ status: EventStatus) -> AuditLevel {
        switch type {
        case .refreshTokenReused, .auditGapDetected, .deadLetterDiscarded, .retentionDropped, .streamResolved: .critical
        case .userDisabled, .userDeleted, .userLocked, .rolesChanged, .administratorCreated, .totpDisabled,
            .retentionChanged:
            .warning
        default: status == .failure ? .warning : .info
        }
    }
}

/// The top-level texts of an event's data, whatever else is in there.
private struct ReadDetail {
    private let texts: [String: String]
    /// Whether there is a member `personal`.
    let hasPersonal: Bool

    init(_ json: String) {
        let read = try? JSONDecoder().decode(Texts.self, from: Data(json.utf8))
        texts = read?.values ?? [:]
        // What cannot be read is looked at more closely.
        hasPersonal = read?.hasPersonal ?? true
    }

    /// A member's text without control characters (PostgreSQL's text takes no NUL), cut to a length in characters.
    func text(_ name: String, atMost length: Int) -> String? {
        guard let text = texts[name], !text.isEmpty else { return nil }
        if text.utf8.count <= length, text.utf8.allSatisfy({ $0 >= 0x20 }) { return text }
        let clean = text.unicodeScalars.filter { $0.value >= 0x20 }
        return String(String(String.UnicodeScalarView(clean)).prefix(length))
    }

    private struct Texts: Decodable {
        let values: [String: String]
        let hasPersonal: Bool

        private static let names: Set = [
            "actor_id", "actor_type", "session_id", "ip", "user_agent", "request_id", "status", "message",
        ]

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: Key.self)
            var values: [String: String] = [:]
            for key in container.allKeys where Self.names.contains(key.stringValue) {
                values[key.stringValue] = try? container.decode(String.self, forKey: key)
            }
            self.values = values
            hasPersonal = container.contains(Key(stringValue: "personal"))
        }

        private struct Key: CodingKey {
            let stringValue: String
            var intValue: Int? { nil }
            init(stringValue: String) { self.stringValue = stringValue }
            init?(intValue: Int) { nil }
        }
    }
}
