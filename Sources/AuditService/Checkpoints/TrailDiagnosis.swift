import Contracts
import Foundation
import MicroMiddleware

/// Tells what was done to the first record that does not follow on: that it is wrong is known, this says how.
struct TrailDiagnosis: Sendable {
    let record: AuditRecord
    private let verified: Int64
    private let hash: [UInt8]
    private let head: Int64
    private let partition: String?

    /// - Parameters:
    ///   - chain: the chain before the record.
    ///   - head: the tenant's recorded head.
    init(_ record: AuditRecord, after chain: ChainVerifier, head: TenantChain) {
        self.record = record
        verified = chain.verified
        hash = chain.currentHash
        self.head = head.sequence
        partition = nil
    }

    /// A record that follows on, in a partition of another month.
    init(_ record: AuditRecord, in partition: String) {
        self.record = record
        verified = record.link?.sequence ?? 0
        hash = []
        head = verified
        self.partition = partition
    }

    /// - Parameters:
    ///   - fault: what the chain says of the record.
    ///   - others: records that claim the same place.
    func fault(_ fault: ChainFault?, others: [UUID]) -> TrailFault {
        let sequence = record.link?.sequence ?? verified + 1
        if let partition {
            return make(
                "misplaced", sequence, "the partition \(AuditPartitions.name(of: record.occurredAt))", partition)
        }
        guard let fault, let link = record.link, fault.kind != .missing else {
            return make(
                "missing", verified + 1, "a record with sequence \(verified + 1)",
                "sequence \(sequence), record \(record.id.text)", names: false)
        }
        if !others.isEmpty || sequence <= verified {
            return make(
                "inserted", sequence, "one record with this sequence",
                "also \(others.map(\.text).joined(separator: ", "))")
        }
        if head > 0, sequence > head {
            return make("inserted", sequence, "no record beyond the recorded head at \(head)", "this one")
        }
        let payload = record.payloadHash()
        guard payload == link.payloadHash else {
            return make(
                "altered", sequence, "payload hash \(Hex.text(link.payloadHash))",
                "\(Hex.text(payload)) from its content")
        }
        if let place = place(link) {
            return make(
                "reordered", sequence, "the record with this sequence", "the one that was written with \(place)")
        }
        guard link.previousHash == hash else {
            return make("unlinked", sequence, "previous hash \(Hex.text(hash))", Hex.text(link.previousHash))
        }
        let own = TenantChain.hash(
            record.tenantID, sequence: sequence, id: record.id, payloadHash: payload, previous: hash)
        return make("altered", sequence, "chained hash \(Hex.text(own))", Hex.text(link.hash))
    }

    /// The sequence that the record was written with if it is another, looked for a good way around.
    private func place(_ link: ChainLink) -> Int64? {
        let near = max(1, link.sequence - 20_000)...(link.sequence + 20_000)
        let written = near.first { sequence in
            TenantChain.hash(
                record.tenantID, sequence: sequence, id: record.id, payloadHash: link.payloadHash,
                previous: link.previousHash) == link.hash
        }
        return written == link.sequence ? nil : written
    }

    private func make(
        _ kind: String, _ sequence: Int64, _ expected: String, _ found: String, names: Bool = true
    ) -> TrailFault {
        let id = names ? record.id.text : nil
        return TrailFault(
            kind: kind, tenantID: record.tenantID.text, sequence: sequence, recordID: id,
            message:
                "record \(sequence) is \(kind)\(id.map { " (\($0))" } ?? ""): expected \(expected), found \(found)",
            expected: expected, found: found)
    }
}
