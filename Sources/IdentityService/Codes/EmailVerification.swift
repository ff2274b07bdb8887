import Contracts
package import Foundation
import MicroMiddleware

/// Proving that an e-mail address is one's own: a code by mail, and its return.
package struct EmailVerification: Sendable {
    let codes: any CodeRepository
    let oneTime: OneTimeCodes
    let accounts: CachedAccounts
    let throttle: any Throttling

    package init(
        codes: any CodeRepository, oneTime: OneTimeCodes, accounts: CachedAccounts,
        throttle: any Throttling = NoThrottle()
    ) {
        self.throttle = throttle
        self.accounts = accounts
        self.codes = codes
        self.oneTime = oneTime
    }

    /// Asks for a code. It comes if there is such a user and the address is not verified yet; nobody is told which.
    package func request(_ identity: String, tenantID: UUID, origin: RequestOrigin) async throws {
        let event = try origin.event(.emailVerificationRequested, user: .zero, tenantID: tenantID, actor: nil)
        try await codes.recordRequest(
            event, about: .guess(identity), tenantID: tenantID, deadline: origin.scope.deadline.forStatement)
    }

    /// - Throws: ``IdentityError/codeInvalid``, ``IdentityError/throttled(retryAfter:)``
    package func verify(_ code: String, identity: String, tenantID: UUID, origin: RequestOrigin) async throws {
        let deadline = origin.scope.deadline
        let (purpose, identifier) = (CodePurpose.emailVerification, Identifier.guess(identity))
        let admission = try await throttle.admit(
            CodeGuess(purpose, of: identifier, tenantID: tenantID), origin: origin)
        let tried = try origin.event(
            .codeTried, user: .zero, tenantID: tenantID, actor: nil, details: ["purpose": purpose.rawValue])
        let live = try await codes.attempt(
            purpose, identifier: identifier, tenantID: tenantID, event: tried, deadline: deadline.forStatement)
        guard let match = live.first(where: { oneTime.matches(code, id: $0.id, salt: $0.salt, purpose: purpose) })
        else {
            _ = await throttle.failed(admission)
            throw IdentityError.codeInvalid
        }
        await throttle.succeeded(admission)
        let event = try origin.event(.emailVerified, user: match.userID, tenantID: match.tenantID, actor: match.userID)
        let verified = try await accounts.changing(match.userID, tenantID: match.tenantID) {
            try await codes.verifyEmail(with: match, event: event, deadline: deadline.forStatement)
        }
        guard verified != nil else { throw IdentityError.codeInvalid }
    }
}
