package import ConnectionKit
package import Contracts
package import Foundation

/// What identity keeps about second factors: who has which, and what a tenant demands.
package protocol SecondFactorRepository: Sendable {
    /// Takes in what the mfa service says. A state older than the one that is known changes nothing, and one of a user
    /// that is not there is forgotten.
    func hear(_ report: SecondFactorReport, deadline: Deadline) async throws -> SecondFactorReceipt

    /// What a tenant demands; what is usual where it has said nothing.
    func mfaPolicy(of tenantID: UUID, deadline: Deadline) async throws -> MFAPolicy

    func setMFAPolicy(_ policy: MFAPolicy, of tenantID: UUID, event: DomainEvent, deadline: Deadline) async throws

    /// Replaces a hash by one of the same password under newer parameters, unless it is no longer the one that was seen.
    func replaceHash(
        of userID: UUID, tenantID: UUID, seenHash: String, newHash: String, deadline: Deadline
    ) async throws
}
