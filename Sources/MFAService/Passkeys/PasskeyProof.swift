import ConnectionKit
package import Contracts
package import Foundation
package import MicroMiddleware
package import Passkeys

/// Proving oneself with a passkey: beside a password, or alone.
package struct PasskeyProof: Sendable {
    let repository: any MFARepository & PasskeyRepository
    let party: RelyingParty
    let now: @Sendable () -> Date

    package init(
        repository: any MFARepository & PasskeyRepository, party: RelyingParty,
        now: @escaping @Sendable () -> Date = { Date() }
    ) {
        self.repository = repository
        self.party = party
        self.now = now
    }

    /// What a browser is asked for. Beside a password, that the user is there is enough; alone, the authenticator must have
    /// verified them.
    ///
    /// - Parameter passkeys: those that may answer; empty for any that the authenticator finds by itself.
    package func options(nonce: [UInt8], passkeys: [Passkey], isAlone: Bool) -> WebAuthnRequestOptions {
        WebAuthnRequestOptions(
            challenge: Base64URLText.text(nonce), rpID: party.id, timeout: 300_000,
            userVerification: isAlone ? "required" : "preferred",
            allowCredentials: passkeys.map(\.descriptor))
    }

    /// Opens a challenge that any discoverable passkey of the tenant may answer.
    package func open(
        _ request: OpenPasskeyChallengeRequest, scope: RequestScope
    ) async throws -> OpenChallengeAnswer {
        let challenge = Challenge(
            id: request.challengeID, userID: nil, tenantID: request.tenantID, nonce: Nonce.make(),
            expiresAt: request.expiresAt)
        let opened = try await repository.open(challenge, deadline: scope.deadline.forStatement)
        return OpenChallengeAnswer(
            methods: [.webauthn], webauthn: options(nonce: opened.nonce, passkeys: [], isAlone: true))
    }

    /// A login by passkey alone.
    /// - Throws: ``MFAError/codeInvalid``, ``MFAError/challengeOver``
    package func verifyAlone(
        _ challengeID: UUID, _ request: VerifyPasskeyRequest, scope: RequestScope
    ) async throws -> VerifiedPasskey {
        guard let passkey = try await find(request.credential, tenantID: request.tenantID, scope: scope) else {
            throw MFAError.codeInvalid
        }
        // Nobody was named before, so the authenticator must say whom it is for, and that must be who registered it (WebAuthn
        // level 2, section 7.2, step 6).
        let handle = request.credential.response.userHandle.flatMap(Base64URLText.bytes)
        guard handle == passkey.userID.bytes else { throw MFAError.codeInvalid }
        let claim = try await repository.claimAttempt(
            challengeID, userID: passkey.userID, tenantID: request.tenantID, guessable: false, now: now(),
            deadline: scope.deadline.forStatement)
        guard case .granted(let nonce) = claim else { throw MFAError.challengeOver }
        let actor = FactorActor(
            userID: passkey.userID, ip: request.ip, userAgent: request.userAgent, requestID: scope.requestID)
        let attempt = Attempt(
            challengeID: challengeID, nonce: nonce, credential: request.credential, isAlone: true, actor: actor)
        guard let methods = try await verify(passkey, attempt, scope: scope) else { throw MFAError.codeInvalid }
        return VerifiedPasskey(userID: passkey.userID, methods: methods)
    }

    /// An answer whose attempt has been counted.
    struct Attempt {
        let challengeID: UUID
        let nonce: [UInt8]
        let credential: WebAuthnCredential
        let isAlone: Bool
        let actor: FactorActor
    }

    func find(_ credential: WebAuthnCredential, tenantID: UUID, scope: RequestScope) async throws -> Passkey? {
        guard let id = Base64URLText.bytes(credential.id), (1...1_023).contains(id.count) else { return nil }
        return try await repository.passkey(
            credentialID: id, tenantID: tenantID, deadline: scope.deadline.forStatement)
    }

    /// How the user proved it (RFC 8176); nil when they did not, which is recorded.
    func verify(_ passkey: Passkey, _ attempt: Attempt, scope: RequestScope) async throws -> [String]? {
        let moment = now()
        func record(_ type: EventType, _ reason: String) async throws {
            let event = try attempt.actor.event(
                type, of: passkey.userID, tenantID: passkey.tenantID, at: moment, status: .failure, message: reason,
                details: ["method": MFAMethod.webauthn.rawValue, "passkey_id": passkey.id.text])
            try await repository.append(event, deadline: scope.deadline.forStatement)
        }
        let assertion: PasskeyAssertion
        do throws(PasskeyError) {
            assertion = try check(passkey, attempt)
        } catch {
            try await record(.mfaFailed, error.rawValue)
            return nil
        }
        let event = try attempt.actor.event(
            .mfaVerified, of: passkey.userID, tenantID: passkey.tenantID, at: moment,
            details: ["method": MFAMethod.webauthn.rawValue, "passkey_id": passkey.id.text])
        let verdict = try await repository.accept(
            passkey, signCount: Int64(assertion.signCount), challenge: attempt.challengeID, now: moment, event: event,
            deadline: scope.deadline.forStatement)
        switch verdict {
        case .accepted: return passkey.methods(isMultiFactor: true)
        case .counterFell:
            try await record(.passkeySuspected, "counter_fell")
            return nil
        case .refused:
            try await record(.mfaFailed, "challenge_used")
            return nil
        }
    }

    private func check(_ passkey: Passkey, _ attempt: Attempt) throws(PasskeyError) -> PasskeyAssertion {
        let response = attempt.credential.response
        guard let clientData = Base64URLText.bytes(response.clientDataJSON),
            let data = response.authenticatorData.flatMap(Base64URLText.bytes),
            let signature = response.signature.flatMap(Base64URLText.bytes)
        else { throw .malformed }
        return try party.authenticate(
            clientDataJSON: clientData, authenticatorData: data, signature: signature, challenge: attempt.nonce,
            publicKey: passkey.publicKey, algorithm: passkey.algorithm, requiresVerification: attempt.isAlone)
    }
}
