import ConnectionKit
import Contracts
package import Foundation
package import MicroMiddleware

/// A user's recovery codes: made anew, and counted.
package struct RecoveryCodes: Sendable {
    let repository: any MFARepository
    let now: @Sendable () -> Date

    package init(repository: any MFARepository, now: @escaping @Sendable () -> Date = { Date() }) {
        self.repository = repository
        self.now = now
    }

    /// New ones in place of all before.
    /// - Throws: ``MFAError/unknown`` when the user has no factor that they could stand in for.
    package func regenerate(
        for userID: UUID, tenantID: UUID, actor: FactorActor, scope: RequestScope
    ) async throws -> [RecoveryCode] {
        let (codes, moment) = (RecoveryCode.makeSet(), now())
        let event = try actor.event(
            .recoveryCodesGenerated, of: userID, tenantID: tenantID, at: moment,
            details: ["count": "\(codes.count)"])
        let replaced = try await repository.replaceCodes(
            of: userID, tenantID: tenantID,
            with: codes.map { StoredRecoveryCode(hash: $0.hash(for: userID)) }, now: moment, event: event,
            deadline: scope.deadline.forStatement)
        guard replaced else { throw MFAError.unknown }
        return codes
    }

    /// How many are left.
    package func count(of userID: UUID, tenantID: UUID, scope: RequestScope) async throws -> Int {
        try await repository.factors(
            of: userID, tenantID: tenantID, deadline: scope.deadline.forStatement
        ).unusedRecoveryCodes
    }
}
