import ConnectionKit
package import Contracts
package import Foundation
package import MicroMiddleware

/// Challenges: opened when identity is about to ask for a second factor, answered once.
package struct ChallengeDesk: Sendable {
    let repository: any MFARepository & PasskeyRepository
    let cipher: FactorCipher
    let passkeys: PasskeyProof
    let now: @Sendable () -> Date

    package init(
        repository: any MFARepository & PasskeyRepository, cipher: FactorCipher, passkeys: PasskeyProof,
        now: @escaping @Sendable () -> Date = { Date() }
    ) {
        self.repository = repository
        self.cipher = cipher
        self.passkeys = passkeys
        self.now = now
    }

    /// - Throws: ``MFAError/notOfOneMind`` when the user has no second factor here.
    package func open(_ request: OpenChallengeRequest, scope: RequestScope) async throws -> OpenChallengeAnswer {
        let factors = try await repository.factors(
            of: request.userID, tenantID: request.tenantID, deadline: scope.deadline.forStatement)
        guard !factors.methods.isEmpty else { throw MFAError.notOfOneMind }
        let challenge = Challenge(
            id: request.challengeID, userID: request.userID, tenantID: request.tenantID, nonce: Nonce.make(),
            expiresAt: request.expiresAt)
        let opened = try await repository.open(challenge, deadline: scope.deadline.forStatement)
        let recovery: [MFAMethod] = factors.unusedRecoveryCodes > 0 ? [.backupCode] : []
        var answer = OpenChallengeAnswer(methods: factors.methods + recovery)
        if factors.hasPasskey {
            let theirs = try await repository.passkeys(
                of: request.userID, tenantID: request.tenantID, deadline: scope.deadline.forStatement)
            answer.webauthn = passkeys.options(nonce: opened.nonce, passkeys: theirs, isAlone: false)
        }
        return answer
    }

    /// - Throws: ``MFAError/codeInvalid``, ``MFAError/challengeOver``, ``MFAError/blocked(retryAfter:)``
    package func verify(
        _ challengeID: UUID, _ request: VerifyChallengeRequest, scope: RequestScope
    ) async throws -> VerifiedFactor {
        let moment = now()
        let actor = FactorActor(
            userID: request.userID, ip: request.ip, userAgent: request.userAgent, requestID: scope.requestID)
        let claim = try await repository.claimAttempt(
            challengeID, userID: request.userID, tenantID: request.tenantID, guessable: request.method == .totp,
            now: moment, deadline: scope.deadline.forStatement)
        let nonce: [UInt8]
        switch claim {
        case .challengeOver: throw MFAError.challengeOver
        case .blocked(let until):
            try await refuse(request, "blocked", actor: actor, at: moment, scope: scope)
            throw MFAError.blocked(retryAfter: .seconds(max(1, until.timeIntervalSince(moment).rounded(.up))))
        case .granted(let granted): nonce = granted
        }
        let answer = Answer(
            challengeID: challengeID, nonce: nonce, request: request, actor: actor, moment: moment, scope: scope)
        let factor: VerifiedFactor? =
            switch request.method {
            case .totp: try await totp(answer)
            case .backupCode: try await recoveryCode(answer)
            case .webauthn: try await passkey(answer)
            }
        if let factor { return factor }
        // A passkey's refusal has been recorded, with its reason.
        if request.method != .webauthn {
            try await refuse(request, "code_wrong", actor: actor, at: moment, scope: scope)
        }
        throw MFAError.codeInvalid
    }

    /// An answer under way.
    private struct Answer {
        let challengeID: UUID
        let nonce: [UInt8]
        let request: VerifyChallengeRequest
        let actor: FactorActor
        let moment: Date
        let scope: RequestScope

        func event(_ type: EventType, _ details: [String: String]) throws -> DomainEvent {
            try actor.event(type, of: request.userID, tenantID: request.tenantID, at: moment, details: details)
        }
    }

    private func totp(_ answer: Answer) async throws -> VerifiedFactor? {
        let request = answer.request
        let factors = try await repository.factors(
            of: request.userID, tenantID: request.tenantID, deadline: answer.scope.deadline.forStatement)
        guard let enrolment = factors.totp, enrolment.enabledAt != nil, let code = request.code else { return nil }
        let totp = TOTP(secret: try cipher.open(enrolment.secret, for: enrolment.owner))
        guard let step = totp.step(of: code, at: answer.moment) else { return nil }
        let accepted = try await repository.acceptStep(
            step, of: enrolment, challenge: answer.challengeID, now: answer.moment,
            event: try answer.event(.mfaVerified, ["method": MFAMethod.totp.rawValue]),
            deadline: answer.scope.deadline.forStatement)
        return accepted ? VerifiedFactor(methods: ["otp", "mfa"]) : nil
    }

    private func recoveryCode(_ answer: Answer) async throws -> VerifiedFactor? {
        let request = answer.request
        guard let code = request.code else { return nil }
        let found = try await repository.unusedCode(
            of: request.userID, tenantID: request.tenantID,
            hash: RecoveryCode(text: code).hash(for: request.userID), deadline: answer.scope.deadline.forStatement)
        guard let found else { return nil }
        // The id tells a restored database which code was used; it opens nothing.
        let accepted = try await repository.acceptCode(
            found, of: request.userID, tenantID: request.tenantID, challenge: answer.challengeID, now: answer.moment,
            events: [
                try answer.event(.recoveryCodeUsed, ["code_id": found.text]),
                try answer.event(.mfaVerified, ["method": MFAMethod.backupCode.rawValue]),
            ], deadline: answer.scope.deadline.forStatement)
        return accepted ? VerifiedFactor(methods: ["otp", "mfa"]) : nil
    }

    private func passkey(_ answer: Answer) async throws -> VerifiedFactor? {
        let request = answer.request
        guard let credential = request.credential,
            let passkey = try await passkeys.find(credential, tenantID: request.tenantID, scope: answer.scope),
            passkey.userID == request.userID
        else { return nil }
        let attempt = PasskeyProof.Attempt(
            challengeID: answer.challengeID, nonce: answer.nonce, credential: credential, isAlone: false,
            actor: answer.actor)
        return try await passkeys.verify(passkey, attempt, scope: answer.scope).map { VerifiedFactor(methods: $0) }
    }

    private func refuse(
        _ request: VerifyChallengeRequest, _ reason: String, actor: FactorActor, at moment: Date, scope: RequestScope
    ) async throws {
        let event = try actor.event(
            .mfaFailed, of: request.userID, tenantID: request.tenantID, at: moment, status: .failure, message: reason,
            details: ["method": request.method.rawValue])
        try await repository.append(event, deadline: scope.deadline.forStatement)
    }
}
