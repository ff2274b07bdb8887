import ConnectionKit
import Contracts
import Foundation
package import Logging
package import MicroMiddleware

/// What stands between a right password and the tokens, where a second factor is due.
package struct SecondFactorGate: Sendable {
    /// How long setting up a required second factor may take.
    static let enrolmentLifetime = Duration.seconds(900)

    let repository: any SecondFactorRepository
    let factors: any SecondFactorService
    let tickets: ChallengeTickets
    let tokens: any AccessTokenMinting
    let devices: RememberedDevices
    let logger: Logger

    package init(
        repository: any SecondFactorRepository, factors: any SecondFactorService, tickets: ChallengeTickets,
        tokens: any AccessTokenMinting, devices: RememberedDevices, logger: Logger
    ) {
        self.repository = repository
        self.factors = factors
        self.tickets = tickets
        self.tokens = tokens
        self.devices = devices
        self.logger = logger
    }

    /// Asks for what is due; the mfa service must be there where it is a proof.
    ///
    /// - Precondition: something is due.
    /// - Throws: 503 without the mfa service.
    package func demand(of account: Account, rehashed: String?, origin: RequestOrigin) async throws -> SignInOutcome {
        await keep(rehashed, of: account, origin: origin)
        if account.secondFactorDemand == .enrolment { return .enrolmentDue(try enrolment(of: account)) }
        let ticket = ChallengeTicket(
            userID: account.user.id, tenantID: account.user.tenantID, purpose: .login, expiresAt: tickets.expiry,
            passwordStamp: account.passwordStamp)
        return .secondFactorDue(try await challenge(ticket, origin: origin))
    }

    /// Whether the login comes from a device on which the second factor that is due was proven a while ago.
    func recognises(_ deviceToken: String?, for account: Account, origin: RequestOrigin) async throws -> Bool {
        guard let deviceToken, account.secondFactorDemand == .proof else { return false }
        return try await devices.recognises(deviceToken, for: account, origin: origin)
    }

    /// Opens a challenge at the mfa service.
    func challenge(_ ticket: ChallengeTicket, origin: RequestOrigin) async throws -> SecondFactorDue {
        let request = OpenChallengeRequest(
            challengeID: ticket.id, userID: ticket.userID, tenantID: ticket.tenantID, expiresAt: ticket.expiresAt)
        let opened = try await factors.open(request, scope: origin.scope)
        return SecondFactorDue(
            challengeToken: try tickets.text(of: ticket),
            expiresIn: Int(ChallengeTicket.lifetime.components.seconds), methods: opened.methods,
            webauthn: opened.webauthn)
    }

    private func enrolment(of account: Account) throws -> EnrolmentDue {
        let access = try tokens.mint(
            AccessTokenGrant(
                user: account.user.snapshot, sessionID: .v7(), authenticatedAt: Date(), methods: ["pwd"],
                mustChangePassword: false, lifetime: Self.enrolmentLifetime, scope: .mfaSetup))
        return EnrolmentDue(accessToken: access.token, expiresIn: access.expiresIn)
    }

    /// Only now is the password known, so only now can its hash be replaced. The login does not depend on it.
    private func keep(_ rehashed: String?, of account: Account, origin: RequestOrigin) async {
        guard let rehashed else { return }
        do {
            try await repository.replaceHash(
                of: account.user.id, tenantID: account.user.tenantID, seenHash: account.passwordHash,
                newHash: rehashed, deadline: origin.scope.deadline.forGlance)
        } catch {
            logger.info(
                "a password keeps its older hash until the next login",
                metadata: ["request_id": "\(origin.scope.requestID)", "error": "\(error)"])
        }
    }
}
