import Contracts
package import Foundation
package import Logging
package import MicroMiddleware

/// Somebody's claim to be somebody.
package struct SignInAttempt: Sendable {
    package var identity: String
    package var password: String
    /// `plain` or `hash`, where the client says so.
    package var transmission: String?
    package var tenantID: UUID
    /// What an earlier sign-in gave the device, where it is shown.
    package var deviceToken: String?
    /// Of a device on which a second factor was proven a while ago.
    package var rememberedDevice: String?
    /// Of a device that its user trusts.
    package var trustedDevice: String?
    /// What a tenant under attack asks for.
    package var proof: ProofOfWork.Proof?

    package init(
        identity: String, password: String, transmission: String? = nil, tenantID: UUID = DefaultTenant.id,
        deviceToken: String? = nil, rememberedDevice: String? = nil, trustedDevice: String? = nil,
        proof: ProofOfWork.Proof? = nil
    ) {
        self.identity = identity
        self.password = password
        self.transmission = transmission
        self.tenantID = tenantID
        self.deviceToken = deviceToken
        self.rememberedDevice = rememberedDevice
        self.trustedDevice = trustedDevice
        self.proof = proof
    }
}

/// Signing in with a password: one statement before the hash, one after it, one call to session.
///
/// Unknown tenant, unknown user, wrong and empty password take the same steps, so that neither answer nor time tells them
/// apart. Where a second factor is due, the password buys a challenge and nothing else.
package struct SignIn: Sendable {
    let repository: any IdentityRepository
    let hasher: any PasswordHashing
    package let completion: SignInCompletion
    /// Without one, whoever needs a second factor cannot sign in.
    let gate: SecondFactorGate?
    let throttle: any Throttling
    let logger: Logger

    package init(
        repository: any IdentityRepository, hasher: any PasswordHashing, sessions: any SessionOpening,
        tokens: any AccessTokenMinting, gate: SecondFactorGate? = nil, throttle: any Throttling = NoThrottle(),
        logger: Logger
    ) {
        self.repository = repository
        self.hasher = hasher
        self.gate = gate
        self.throttle = throttle
        self.logger = logger
        completion = SignInCompletion(repository: repository, sessions: sessions, tokens: tokens, logger: logger)
    }

    /// - Throws: ``IdentityError/invalidCredentials``; ``IdentityError/accountDisabled`` to whoever knew the password;
    ///   ``IdentityError/invalid(_:)`` for a password that is too long for anybody's;
    ///   503 when a second factor is due and cannot be asked for.
    package func signIn(_ attempt: SignInAttempt, origin: RequestOrigin) async throws -> SignInOutcome {
        let (account, rehashed, isKnownDevice) = try await authenticate(attempt, origin: origin)
        if account.secondFactorDemand != .nothing {
            guard let gate else { throw APIError(.dependencyUnavailable) }
            guard try await gate.recognises(attempt.rememberedDevice, for: account, origin: origin) else {
                // The device's cookie is no word of its having signed in here: the password alone buys it.
                return try await gate.demand(of: account, rehashed: rehashed, origin: origin)
            }
        }
        let isRemembered = account.secondFactorDemand != .nothing
        return .signedIn(
            try await completion.complete(
                account, methods: ["pwd"], rehashed: rehashed, isKnownDevice: isKnownDevice || isRemembered,
                trustedDevice: attempt.trustedDevice, origin: origin))
    }

    // MARK: - Who it is

    private func authenticate(
        _ attempt: SignInAttempt, origin: RequestOrigin
    ) async throws -> (account: Account, rehashed: String?, isKnownDevice: Bool) {
        let deadline = origin.scope.deadline
        // Before anybody knows whether there is such a user: how long a password may be tells nothing then.
        let typed = try PasswordPolicy.bounded(attempt.password)
        // The counters are asked while the database is. Neither is given up for the other: a statement that is cancelled
        // costs its connection.
        async let admitted = throttle.admit(attempt, origin: origin)
        let identifier = Identifier.guess(attempt.identity)
        let lookup = try await repository.lookUp(
            identifier, tenantID: attempt.tenantID, deadline: deadline.forStatement)
        let admission = try await admitted
        // By a kind of name that the tenant does not take nobody is found.
        guard case .found(let account) = lookup, account.tenant.allowsLogin(by: identifier.kind) else {
            try await hasher.verifyAgainstNothing(typed, deadline: deadline.forHash)
            var attempt = attempt
            // A tenant that does not exist has no trail: whoever makes one up would make a chain each time.
            if case .tenantUnknown = lookup { attempt.tenantID = DefaultTenant.id }
            await fail(.userUnknown, attempt, user: nil, admission, origin: origin)
            throw IdentityError.invalidCredentials
        }
        let password = account.tenant.passwordPolicy.presented(
            typed, declared: attempt.transmission, tenantID: attempt.tenantID)
        let verdict = try await hasher.verify(password, against: account.passwordHash, deadline: deadline.forHash)
        guard verdict.matches, !account.isPasswordOver(at: Date()) else {
            let failure = verdict.matches ? Failure.passwordOver : .passwordWrong
            await fail(failure, attempt, user: account.user.id, admission, origin: origin)
            throw IdentityError.invalidCredentials
        }
        // Told apart from a wrong password, it would tell that the address is registered.
        if account.tenant.requiresVerifiedEmail, account.user.email != nil, account.user.emailVerifiedAt == nil {
            await fail(.emailUnverified, attempt, user: account.user.id, admission, origin: origin)
            throw IdentityError.invalidCredentials
        }
        guard account.isUsable else {
            await record(.accountDisabled, attempt, user: account.user.id, origin: origin)
            throw account.refusal
        }
        await throttle.succeeded(admission)
        let rehashed =
            verdict.needsRehash ? try? await hasher.hash(password, deadline: deadline.forHash) : nil
        return (account, rehashed, admission.subject?.device != nil)
    }

    private enum Failure: String {
        case userUnknown = "user_unknown"
        case passwordWrong = "password_wrong"
        case passwordOver = "one_time_password_over"
        case accountDisabled = "account_disabled"
        case emailUnverified = "email_unverified"
    }

    /// Counts and records a wrong password; at the last before it gets slow, its owner is told. The same work whether or not
    /// there is an owner.
    private func fail(
        _ failure: Failure, _ attempt: SignInAttempt, user: UUID?, _ admission: Admission, origin: RequestOrigin
    ) async {
        let isNoticed = await throttle.failed(admission)
        await record(failure, attempt, user: user, origin: origin)
        if isNoticed { await record(failure, as: .userLocked, attempt, user: user, origin: origin) }
    }

    /// A failed login is refused whether or not it can be recorded.
    private func record(
        _ failure: Failure, as type: EventType = .loginFailed, _ attempt: SignInAttempt, user: UUID?,
        origin: RequestOrigin
    ) async {
        do {
            // The subject of an attempt on nobody is the nil UUID: what was typed may be a password in the wrong field.
            let event = try origin.event(
                type, user: user ?? .zero, tenantID: attempt.tenantID, actor: nil, status: .failure,
                message: failure.rawValue)
            try await repository.append(event, deadline: origin.scope.deadline.forStatement)
        } catch {
            logger.warning(
                "a failed login could not be recorded",
                metadata: ["request_id": "\(origin.scope.requestID)", "error": "\(error)"])
        }
    }
}

extension UUID {
    static let zero = UUID(uuid: (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0))
}
