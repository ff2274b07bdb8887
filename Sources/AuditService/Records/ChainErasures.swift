import Contracts
import Foundation

/// Which payloads of a chain were erased, held against the records that tell of it.
struct ChainErasures: Sendable {
    private struct Claim {
        let user: String
        let sequence: Int64
        let recordID: UUID
    }

    /// Records that were erased, and how many.
    private(set) var count: Int64 = 0
    /// The first record of each erasure that nothing has told of yet.
    private var claims: [UUID: Claim] = [:]
    /// The users of those that the chain tells of.
    private var told: [UUID: String] = [:]
    private var mismatch: Claim?

    /// Takes in a record that is in its place.
    mutating func add(_ record: AuditRecord, at sequence: Int64) {
        if let erasure = record.erasedBy {
            count += 1
            let claim = Claim(user: record.personID, sequence: sequence, recordID: record.id)
            let known = told[erasure] ?? claims[erasure]?.user
            if let known, known != claim.user, mismatch == nil { mismatch = claim }
            if known == nil { claims[erasure] = claim }
        } else if record.action == EventType.payloadsErased.rawValue {
            told[record.id] = record.targetID
            if let claim = claims.removeValue(forKey: record.id), claim.user != record.targetID, mismatch == nil {
                mismatch = claim
            }
        }
    }

    /// The first record that was erased and should not have been.
    var unaccounted: (sequence: Int64, recordID: UUID)? {
        (Array(claims.values) + [mismatch].compactMap { $0 }).min { $0.sequence < $1.sequence }
            .map { ($0.sequence, $0.recordID) }
    }
}

extension AuditRecord {
    /// Whose data the payload is: who did it, or to whom it was done by nobody who is known.
    fileprivate var personID: String { operatorID ?? targetID }

    /// Whether the content is what was hashed.
    func hasItsPayload(_ link: ChainLink) -> Bool { erasedBy == nil && payloadHash() == link.payloadHash }

    /// Whether the payload is gone, and nothing was put in its place.
    var isTombstone: Bool {
        erasedBy != nil && message == "erased" && metadata == "{}" && ip == nil && userAgent == nil && requestID == nil
    }
}
