package import Contracts
import Foundation
import MicroMiddleware

/// What somebody answers to a challenge.
package struct ChallengeAttempt: Sendable {
    package var challengeToken: String
    package var method: MFAMethod
    package var code: String?
    package var credential: WebAuthnCredential?
    /// Whether this device is to be remembered.
    package var remembersDevice: Bool
    /// Of a device that its user trusts.
    package var trustedDevice: String?

    package init(
        challengeToken: String, method: MFAMethod, code: String? = nil, credential: WebAuthnCredential? = nil,
        remembersDevice: Bool = false, trustedDevice: String? = nil
    ) {
        self.challengeToken = challengeToken
        self.method = method
        self.code = code
        self.credential = credential
        self.remembersDevice = remembersDevice
        self.trustedDevice = trustedDevice
    }
}

/// The second half of a login: the second factor, then the tokens.
package struct ChallengeCompletion: Sendable {
    let repository: any IdentityRepository
    let factors: any SecondFactorService
    let tickets: ChallengeTickets
    let completion: SignInCompletion
    let devices: RememberedDevices

    package init(
        repository: any IdentityRepository, factors: any SecondFactorService, tickets: ChallengeTickets,
        completion: SignInCompletion, devices: RememberedDevices
    ) {
        self.repository = repository
        self.factors = factors
        self.tickets = tickets
        self.completion = completion
        self.devices = devices
    }

    /// Looks at the account first, so that no code is used up for a login that cannot be.
    ///
    /// - Throws: ``IdentityError/challengeInvalid``, ``IdentityError/accountDisabled``; what the mfa service refused
    ///   with; 503 without it.
    package func complete(_ attempt: ChallengeAttempt, origin: RequestOrigin) async throws -> SignInAnswer {
        let ticket = try tickets.read(attempt.challengeToken, for: .login)
        let account = try await repository.account(
            ticket.userID, tenantID: ticket.tenantID, deadline: origin.scope.deadline.forStatement)
        guard let account, account.passwordStamp == ticket.passwordStamp else { throw IdentityError.challengeInvalid }
        guard account.isUsable else { throw IdentityError.accountDisabled }
        let request = VerifyChallengeRequest(
            userID: ticket.userID, tenantID: ticket.tenantID, method: attempt.method, code: attempt.code,
            credential: attempt.credential, ip: origin.ip, userAgent: origin.userAgent)
        let factor = try await factors.verify(ticket.id, request, scope: origin.scope)
        var answer = try await completion.complete(
            account, methods: ["pwd"] + factor.methods, trustedDevice: attempt.trustedDevice, origin: origin)
        if attempt.remembersDevice {
            // The login stands without it.
            answer.deviceToken = try? await devices.remember(account, origin: origin)
        }
        return answer
    }
}
