import Contracts
import Foundation
import MicroMiddleware

/// A record as the API shows it.
struct AuditRecordView: Encodable, Sendable {
    private let record: AuditRecord

    init(_ record: AuditRecord) {
        self.record = record
    }

    private enum CodingKeys: String, CodingKey {
        case id, timestamp, action, module, status, level, message, ip, sequence, metadata, source, hash
        case tenantID = "tenant_id"
        case operatorID = "operator_id"
        case operatorType = "operator_type"
        case targetType = "target_type"
        case targetID = "target_id"
        case sessionID = "session_id"
        case userAgent = "user_agent"
        case requestID = "request_id"
        case sourcePosition = "source_sequence"
        case sourceHash = "source_hash"
        case recordedAt = "recorded_at"
        case payloadHash = "payload_hash"
        case previousHash = "previous_hash"
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(record.id.text, forKey: .id)
        try container.encode(record.occurredAt.text, forKey: .timestamp)
        try container.encode(record.tenantID.text, forKey: .tenantID)
        try container.encode(record.action, forKey: .action)
        try container.encode(record.module, forKey: .module)
        try container.encode(record.operatorID, forKey: .operatorID)
        try container.encode(record.operatorType, forKey: .operatorType)
        try container.encode(record.targetType, forKey: .targetType)
        try container.encode(record.targetID, forKey: .targetID)
        try container.encode(record.status, forKey: .status)
        try container.encode(record.level, forKey: .level)
        try container.encode(record.message, forKey: .message)
        try container.encode(record.sessionID, forKey: .sessionID)
        try container.encode(record.ip, forKey: .ip)
        try container.encode(record.userAgent, forKey: .userAgent)
        try container.encode(record.requestID, forKey: .requestID)
        try container.encode(JSONTree(json: record.metadata), forKey: .metadata)
        try container.encode(record.source, forKey: .source)
        try container.encode(record.sourcePosition, forKey: .sourcePosition)
        try container.encode(Hex.text(record.sourceHash), forKey: .sourceHash)
        try container.encode(record.recordedAt.text, forKey: .recordedAt)
        guard let link = record.link else { return }
        try container.encode(link.sequence, forKey: .sequence)
        try container.encode(Hex.text(link.payloadHash), forKey: .payloadHash)
        try container.encode(Hex.text(link.previousHash), forKey: .previousHash)
        try container.encode(Hex.text(link.hash), forKey: .hash)
    }
}

/// `GET /admin/audit/stats`
struct AuditStats: Encodable, Sendable {
    let total: Int
    let byAction: [String: Int]
    let byStatus: [String: Int]
    let byLevel: [String: Int]
    let byModule: [String: Int]
    let startTime: String
    let endTime: String

    enum CodingKeys: String, CodingKey {
        case total
        case byAction = "by_action"
        case byStatus = "by_status"
        case byLevel = "by_level"
        case byModule = "by_module"
        case startTime = "start_time"
        case endTime = "end_time"
    }
}

/// `GET /admin/audit/streams`
struct StreamStatusView: Encodable, Sendable {
    private let status: StreamStatus

    init(_ status: StreamStatus) {
        self.status = status
    }

    private enum CodingKeys: String, CodingKey {
        case source, state, hash, conflict
        case completeTo = "complete_to"
        case highest = "highest_position"
        case head = "head_position"
        case headCheckedAt = "head_checked_at"
        case conflictPosition = "conflict_position"
        case healedEvents = "healed_events"
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(status.source, forKey: .source)
        try container.encode(status.state, forKey: .state)
        try container.encode(status.completeTo, forKey: .completeTo)
        try container.encode(Hex.text(status.hash), forKey: .hash)
        try container.encode(status.highest, forKey: .highest)
        try container.encode(status.head, forKey: .head)
        try container.encode(status.headCheckedAt, forKey: .headCheckedAt)
        try container.encode(status.conflict, forKey: .conflict)
        try container.encode(status.conflictPosition, forKey: .conflictPosition)
        try container.encode(status.healedEvents, forKey: .healedEvents)
    }
}

/// `GET /admin/audit/hashchain/{tenant_id}` and `POST /admin/audit/verifications`
struct ChainView: Encodable, Sendable {
    struct Fault: Encodable, Sendable {
        let kind: ChainFault.Kind
        let sequence: Int64
        let recordID: String?

        enum CodingKeys: String, CodingKey {
            case kind, sequence
            case recordID = "record_id"
        }
    }

    let tenantID: String
    let sequence: Int64
    let hash: String
    /// Of a verification alone, and once there is nothing left to read: part of a chain is not said to be the whole.
    var isIntact: Bool?
    var fault: Fault?
    /// Of a verification that has not read all: where to go on.
    var next: String?

    enum CodingKeys: String, CodingKey {
        case sequence, hash, fault, next
        case tenantID = "tenant_id"
        case isIntact = "is_intact"
    }

    init(_ chain: TenantChain) {
        tenantID = chain.tenantID.text
        sequence = chain.sequence
        hash = Hex.text(chain.hash)
    }

    init(_ verification: ChainVerification) {
        tenantID = verification.tenantID.text
        sequence = verification.verified
        hash = Hex.text(verification.hash)
        if verification.isComplete {
            isIntact = verification.fault == nil
        } else {
            next = verification.place.placeText
        }
        fault = verification.fault.map {
            Fault(kind: $0.kind, sequence: $0.sequence, recordID: $0.recordID?.text)
        }
    }
}

extension TenantChain {
    /// A place in the chain as ``placeText`` writes it: up to 18 digits, a hyphen and 64 hexadecimal digits. `nil` for anything else.
    init?(tenantID: UUID, place text: Substring) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        // So many digits leave room to count on.
        guard parts.count == 2, parts[0].utf8.count <= 18, parts[0].utf8.allSatisfy({ (48...57).contains($0) }),
            let sequence = Int64(parts[0]), let hash = Hex.bytes(parts[1], count: 32)
        else { return nil }
        self.init(tenantID: tenantID, sequence: sequence, hash: hash)
    }

    var placeText: String { "\(sequence)-\(Hex.text(hash))" }
}
