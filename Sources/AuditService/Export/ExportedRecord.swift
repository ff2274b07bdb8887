import Contracts
import Foundation

/// A record's line in an export: what the API shows, and the metadata once more as the text that was hashed.
struct ExportedRecord: Codable {
    let record: AuditRecord

    init(_ record: AuditRecord) {
        self.record = record
    }

    private enum CodingKeys: String, CodingKey {
        case id, timestamp, action, module, status, level, message, ip, sequence, source, hash
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
        case metadataText = "metadata_text"
    }

    func encode(to encoder: any Encoder) throws {
        try AuditRecordView(record).encode(to: encoder)
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(record.metadata, forKey: .metadataText)
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        func text(_ key: CodingKeys) throws -> String { try container.decode(String.self, forKey: key) }
        func optional(_ key: CodingKeys) throws -> String? { try container.decodeIfPresent(String.self, forKey: key) }
        func read<Value>(_ key: CodingKeys, _ parse: (String) -> Value?) throws -> Value {
            guard let value = parse(try text(key)) else {
                throw DecodingError.dataCorruptedError(forKey: key, in: container, debugDescription: "malformed")
            }
            return value
        }
        func hash(_ key: CodingKeys) throws -> [UInt8] { try read(key) { Hex.bytes($0, count: 32) } }
        record = AuditRecord(
            id: try read(.id) { UUID(uuidString: $0) }, occurredAt: try read(.timestamp) { EventTime($0) },
            tenantID: try read(.tenantID) { UUID(uuidString: $0) }, action: try text(.action),
            module: try text(.module), operatorID: try optional(.operatorID), operatorType: try text(.operatorType),
            targetType: try text(.targetType), targetID: try text(.targetID),
            status: try read(.status) { EventStatus(rawValue: $0) },
            level: try read(.level) { AuditLevel(rawValue: $0) }, message: try text(.message),
            sessionID: try optional(.sessionID), ip: try optional(.ip), userAgent: try optional(.userAgent),
            requestID: try optional(.requestID), metadata: try text(.metadataText), source: try text(.source),
            sourcePosition: try container.decode(Int64.self, forKey: .sourcePosition),
            sourceHash: try hash(.sourceHash), recordedAt: try read(.recordedAt) { EventTime($0) },
            link: ChainLink(
                sequence: try container.decode(Int64.self, forKey: .sequence), payloadHash: try hash(.payloadHash),
                previousHash: try hash(.previousHash), hash: try hash(.hash)))
    }
}
