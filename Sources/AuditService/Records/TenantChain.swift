import Contracts
package import Foundation
import MicroMiddleware

/// The chain of a tenant's records.
///
/// `payload_hash` is SHA-256 over the record's content, `hash` is SHA-256 over the text `authms.audit.v1`, the tenant,
/// the sequence (eight bytes, big-endian), the record's id, the payload hash and the hash before it; each field is
/// preceded by its length in four bytes, big-endian (`FieldHash`), an absent one by `ff ff ff ff`. The payload is hashed
/// apart, so that a person's data can be erased and the chain still verifies.
package struct TenantChain: Sendable, Hashable {
    package static let domain = "authms.audit.v1"
    package static let payloadDomain = "authms.audit.payload.v1"

    package let tenantID: UUID
    /// The last sequence given; 0 before the first.
    package private(set) var sequence: Int64
    package private(set) var hash: [UInt8]

    /// The chain as it stands.
    package init(tenantID: UUID, sequence: Int64 = 0, hash: [UInt8] = StreamLink.genesis) {
        self.tenantID = tenantID
        self.sequence = sequence
        self.hash = hash
    }

    /// Gives the record the next place.
    package mutating func append(_ record: inout AuditRecord) {
        let payload = record.payloadHash()
        let previous = hash
        sequence += 1
        hash = Self.hash(tenantID, sequence: sequence, id: record.id, payloadHash: payload, previous: previous)
        record.link = ChainLink(sequence: sequence, payloadHash: payload, previousHash: previous, hash: hash)
    }

    package static func hash(
        _ tenantID: UUID, sequence: Int64, id: UUID, payloadHash: [UInt8], previous: [UInt8]
    ) -> [UInt8] {
        var fields = FieldHash()
        fields.add(domain)
        fields.add(tenantID.text)
        fields.add(sequence)
        fields.add(id.text)
        fields.add(payloadHash)
        fields.add(previous)
        return fields.finish()
    }
}

extension AuditRecord {
    /// The hash of everything that the record says, in the order of the table's columns.
    package func payloadHash() -> [UInt8] {
        var fields = FieldHash()
        fields.add(TenantChain.payloadDomain)
        fields.add(id.text)
        fields.add(occurredAt.text)
        fields.add(tenantID.text)
        for text in [action, module] { fields.add(text) }
        fields.add(optional: operatorID)
        for text in [operatorType, targetType, targetID, status.rawValue, level.rawValue, message] { fields.add(text) }
        for text in [sessionID, ip, userAgent, requestID] { fields.add(optional: text) }
        fields.add(metadata)
        fields.add(source)
        fields.add(sourcePosition)
        fields.add(sourceHash)
        fields.add(recordedAt.text)
        return fields.finish()
    }
}
