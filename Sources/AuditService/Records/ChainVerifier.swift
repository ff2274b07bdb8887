import Contracts
package import Foundation
import MicroMiddleware

/// What is wrong with a chain, and where first.
package struct ChainFault: Sendable, Hashable, CustomStringConvertible {
    package enum Kind: String, Sendable, Hashable, Codable {
        /// The record's content is not what was hashed.
        case altered
        /// A sequence is not there: its record was removed.
        case missing
        /// The record is not linked to the one before: one was put in, taken out or moved.
        case unlinked
        /// The chain ends before its head: its tail was cut off.
        case truncated
        /// There are records beyond the head.
        case beyondHead
    }

    package let kind: Kind
    package let sequence: Int64
    package let recordID: UUID?

    package init(kind: Kind, sequence: Int64, recordID: UUID?) {
        self.kind = kind
        self.sequence = sequence
        self.recordID = recordID
    }

    package var description: String {
        "record \(sequence) is \(kind.rawValue)" + (recordID.map { " (\($0.text))" } ?? "")
    }
}

/// Reads a tenant's records in the order of their sequence and finds the first that is not as it was written. Constant
/// memory, no input or output of its own.
package struct ChainVerifier: Sendable {
    private let tenantID: UUID
    private var sequence: Int64 = 0
    private var hash = StreamLink.genesis
    /// How many records were in order.
    package var verified: Int64 { sequence }
    /// The hash that the chain has come to.
    package var currentHash: [UInt8] { hash }

    package init(tenantID: UUID) {
        self.tenantID = tenantID
    }

    /// Goes on behind a place that another came to.
    package init(after place: TenantChain) {
        (tenantID, sequence, hash) = (place.tenantID, place.sequence, place.hash)
    }

    /// Steps over a record that retention has dropped, by the hash that was kept of it. Whether it was that one, the next
    /// record and the signed roots show.
    package mutating func skip(_ kept: [UInt8]) {
        sequence += 1
        hash = kept
    }

    /// Goes on to the next record, which is known to be as it was written and to follow on, by its hash.
    mutating func follow(_ known: [UInt8]) {
        sequence += 1
        hash = known
    }

    /// - Returns: what is wrong with this record; nil when it follows on.
    package mutating func check(_ record: AuditRecord) -> ChainFault? {
        guard let link = record.link else {
            return ChainFault(kind: .unlinked, sequence: sequence + 1, recordID: record.id)
        }
        func fault(_ kind: ChainFault.Kind, at sequence: Int64) -> ChainFault {
            ChainFault(kind: kind, sequence: sequence, recordID: kind == .missing ? nil : record.id)
        }
        if link.sequence > sequence + 1 { return fault(.missing, at: sequence + 1) }
        if link.sequence != sequence + 1 || record.tenantID != tenantID {
            return fault(.unlinked, at: link.sequence)
        }
        if record.payloadHash() != link.payloadHash { return fault(.altered, at: link.sequence) }
        if link.previousHash != hash { return fault(.unlinked, at: link.sequence) }
        let expected = TenantChain.hash(
            tenantID, sequence: link.sequence, id: record.id, payloadHash: link.payloadHash, previous: hash)
        if expected != link.hash { return fault(.altered, at: link.sequence) }
        sequence = link.sequence
        hash = link.hash
        return nil
    }

    /// - Returns: what is wrong with the end of the chain, by its recorded head; nil when it is whole.
    package func finish(head: TenantChain) -> ChainFault? {
        if sequence < head.sequence { return ChainFault(kind: .truncated, sequence: sequence + 1, recordID: nil) }
        if sequence > head.sequence { return ChainFault(kind: .beyondHead, sequence: head.sequence + 1, recordID: nil) }
        return hash == head.hash ? nil : ChainFault(kind: .unlinked, sequence: sequence, recordID: nil)
    }
}

extension ChainVerifier {
    /// Steps over dropped records, up to one.
    mutating func skip(_ dropped: inout DroppedLeaves, upTo sequence: Int64) {
        while verified < sequence, let kept = dropped.hash(of: verified + 1) { skip(kept) }
    }
}
