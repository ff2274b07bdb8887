package import Contracts
package import Foundation
import MicroMiddleware

/// One entry of the audit trail: an event, read for people, with its place in its tenant's chain and in its source's
/// stream.
package struct AuditRecord: Sendable, Hashable, Identifiable {
    /// The event's id.
    package let id: UUID
    package let occurredAt: EventTime
    package let tenantID: UUID
    /// The event's type.
    package let action: String
    /// The service that it happened in.
    package let module: String
    package let operatorID: String?
    /// `user`, `service`, `system` or `anonymous`.
    package let operatorType: String
    package let targetType: String
    package let targetID: String
    package let status: EventStatus
    package let level: AuditLevel
    package let message: String
    package let sessionID: String?
    package let ip: String?
    package let userAgent: String?
    package let requestID: String?
    /// The event's data as it was published.
    package let metadata: String
    package let source: String
    package let sourcePosition: Int64
    package let sourceHash: [UInt8]
    package let recordedAt: EventTime
    /// The place in the tenant's chain; nil before it has one.
    package var link: ChainLink?

    /// Of its parts: how an exported record is read back.
    init(
        id: UUID, occurredAt: EventTime, tenantID: UUID, action: String, module: String, operatorID: String?,
        operatorType: String, targetType: String, targetID: String, status: EventStatus, level: AuditLevel,
        message: String, sessionID: String?, ip: String?, userAgent: String?, requestID: String?, metadata: String,
        source: String, sourcePosition: Int64, sourceHash: [UInt8], recordedAt: EventTime, link: ChainLink?
    ) {
        self.id = id
        self.occurredAt = occurredAt
        self.tenantID = tenantID
        self.action = action
        self.module = module
        self.operatorID = operatorID
        self.operatorType = operatorType
        self.targetType = targetType
        self.targetID = targetID
        self.status = status
        self.level = level
        self.message = message
        self.sessionID = sessionID
        self.ip = ip
        self.userAgent = userAgent
        self.requestID = requestID
        self.metadata = metadata
        self.source = source
        self.sourcePosition = sourcePosition
        self.sourceHash = sourceHash
        self.recordedAt = recordedAt
        self.link = link
    }
}

/// How much a record matters to who watches the trail.
package enum AuditLevel: String, Sendable, Hashable, Codable {
    case info, warning, critical
}

/// A record's place in its tenant's chain.
package struct ChainLink: Sendable, Hashable {
    /// From 1, without gaps.
    package let sequence: Int64
    package let payloadHash: [UInt8]
    package let previousHash: [UInt8]
    package let hash: [UInt8]

    package init(sequence: Int64, payloadHash: [UInt8], previousHash: [UInt8], hash: [UInt8]) {
        self.sequence = sequence
        self.payloadHash = payloadHash
        self.previousHash = previousHash
        self.hash = hash
    }
}
