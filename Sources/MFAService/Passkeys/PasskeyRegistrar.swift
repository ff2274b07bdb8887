import ConnectionKit
package import Contracts
package import Foundation
package import MicroMiddleware
package import Passkeys

/// Registering passkeys: a nonce is given, and what the authenticator made of it is checked and kept.
package struct PasskeyRegistrar: Sendable {
    /// How long a registration may take.
    static let lifetime = Duration.seconds(300)

    let repository: any MFARepository & PasskeyRepository
    let identity: any IdentityPort
    let news: FactorNews
    let party: RelyingParty
    /// What browsers show as the site's name.
    let partyName: String
    let now: @Sendable () -> Date

    package init(
        repository: any MFARepository & PasskeyRepository, identity: any IdentityPort, news: FactorNews,
        party: RelyingParty, partyName: String, now: @escaping @Sendable () -> Date = { Date() }
    ) {
        self.repository = repository
        self.identity = identity
        self.news = news
        self.party = party
        self.partyName = partyName
        self.now = now
    }

    /// - Throws: ``MFAError/off``; 503 without identity.
    package func begin(
        for userID: UUID, tenantID: UUID, scope: RequestScope
    ) async throws -> WebAuthnCreationOptions {
        let enrolment = try await identity.enrolment(of: userID, tenantID: tenantID, scope: scope)
        guard enrolment.isAllowed else { throw MFAError.off }
        let present = try await repository.passkeys(
            of: userID, tenantID: tenantID, deadline: scope.deadline.forStatement)
        guard present.count < Passkey.maximumCount else {
            throw MFAError.invalid("id", "would be one more than \(Passkey.maximumCount): remove one first")
        }
        let nonce = Nonce.make()
        try await repository.beginRegistration(
            nonce, of: userID, tenantID: tenantID,
            expiresAt: now().addingTimeInterval(Double(Self.lifetime.components.seconds)),
            deadline: scope.deadline.forStatement)
        return WebAuthnCreationOptions(
            challenge: Base64URLText.text(nonce), rpID: party.id, rpName: partyName,
            userID: Base64URLText.text(userID.bytes), userName: enrolment.accountName,
            displayName: enrolment.displayName, algorithms: PasskeyAlgorithm.allCases.map { Int($0.rawValue) },
            excludeCredentials: present.map(\.descriptor),
            timeout: Int(Self.lifetime.components.seconds) * 1_000)
    }

    /// It takes effect, and is answered, once identity knows that this user needs a second factor from now on.
    ///
    /// - Returns: the passkey, and recovery codes where it is the user's first factor.
    /// - Throws: ``MFAError/invalid(_:)`` saying what is wrong with it, ``MFAError/challengeOver``,
    ///   ``MFAError/alreadyEnabled``; 503 without identity.
    package func finish(
        _ credential: WebAuthnCredential, name: String, for userID: UUID, tenantID: UUID, actor: FactorActor,
        scope: RequestScope
    ) async throws -> (passkey: Passkey, codes: [RecoveryCode]) {
        let (moment, name) = (now(), try Passkey.name(name))
        guard let clientData = Base64URLText.bytes(credential.response.clientDataJSON),
            let attestation = credential.response.attestationObject.flatMap(Base64URLText.bytes)
        else { throw MFAError.invalid("credential", "is not what navigator.credentials.create gives") }
        guard let nonce = RelyingParty.challenge(inClientData: clientData),
            try await repository.takeRegistration(
                nonce, of: userID, tenantID: tenantID, now: moment, deadline: scope.deadline.forStatement)
        else { throw MFAError.challengeOver }
        let registered: PasskeyRegistration
        do throws(PasskeyError) {
            registered = try party.register(
                clientDataJSON: clientData, attestationObject: attestation, challenge: nonce)
        } catch {
            throw MFAError.invalid("credential", "is refused: \(error.rawValue)")
        }
        let passkey = Passkey(
            id: .v7(), userID: userID, tenantID: tenantID, registered,
            transports: Passkey.transports(credential.response.transports ?? []), name: name, at: moment)
        let codes = try await store(passkey, actor: actor, at: moment, scope: scope)
        do {
            try await news.tellAll(scope: scope)
        } catch {
            throw APIError(.dependencyUnavailable, "It takes effect in a moment.")
        }
        return (passkey, codes)
    }

    private func store(
        _ passkey: Passkey, actor: FactorActor, at moment: Date, scope: RequestScope
    ) async throws -> [RecoveryCode] {
        let (user, tenant) = (passkey.userID, passkey.tenantID)
        let factors = try await repository.factors(of: user, tenantID: tenant, deadline: scope.deadline.forStatement)
        let codes = factors.methods.isEmpty ? RecoveryCode.makeSet() : []
        var events = [
            try actor.event(
                .passkeyRegistered, of: user, tenantID: tenant, at: moment,
                details: [
                    "passkey_id": passkey.id.text, "attestation": passkey.attestation,
                    "aaguid": passkey.aaguid.text, "algorithm": "\(passkey.algorithm.rawValue)",
                ])
        ]
        if !codes.isEmpty {
            events.append(
                try actor.event(
                    .recoveryCodesGenerated, of: user, tenantID: tenant, at: moment,
                    details: ["count": "\(codes.count)"]))
        }
        let stored = try await repository.insert(
            passkey, codes: codes.map { StoredRecoveryCode(hash: $0.hash(for: user)) }, events: events,
            deadline: scope.deadline.forStatement)
        guard stored else { throw MFAError.alreadyEnabled }
        return codes
    }

    /// - Throws: ``MFAError/unknown``, ``MFAError/invalid(_:)``
    package func rename(
        _ id: UUID, to name: String, for userID: UUID, tenantID: UUID, actor: FactorActor, scope: RequestScope
    ) async throws -> Passkey {
        let name = try Passkey.name(name)
        let event = try actor.event(
            .passkeyRenamed, of: userID, tenantID: tenantID, at: now(), details: ["passkey_id": id.text])
        let renamed = try await repository.rename(
            id, of: userID, tenantID: tenantID, to: name, event: event, deadline: scope.deadline.forStatement)
        guard let renamed else { throw MFAError.unknown }
        return renamed
    }

    /// - Throws: ``MFAError/unknown``
    package func remove(
        _ id: UUID, for userID: UUID, tenantID: UUID, actor: FactorActor, scope: RequestScope
    ) async throws {
        let event = try actor.event(
            .passkeyRemoved, of: userID, tenantID: tenantID, at: now(), details: ["passkey_id": id.text])
        let removed = try await repository.remove(
            id, of: userID, tenantID: tenantID, event: event, deadline: scope.deadline.forStatement)
        guard removed else { throw MFAError.unknown }
        try? await news.tellAll(scope: scope)
    }
}

/// 32 random bytes for a passkey to sign.
enum Nonce {
    static func make() -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<32).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
    }
}

extension UUID {
    var bytes: [UInt8] { withUnsafeBytes(of: uuid) { Array($0) } }
}

extension Passkey {
    init(
        id: UUID, userID: UUID, tenantID: UUID, _ registered: PasskeyRegistration, transports: [String], name: String,
        at moment: Date
    ) {
        var aaguid = UUID().uuid
        withUnsafeMutableBytes(of: &aaguid) { $0.copyBytes(from: registered.aaguid.prefix(16)) }
        self.init(
            id: id, userID: userID, tenantID: tenantID, credentialID: registered.credentialID,
            publicKey: registered.publicKey, algorithm: registered.algorithm, signCount: Int64(registered.signCount),
            transports: transports, aaguid: UUID(uuid: aaguid), attestation: registered.attestationFormat,
            isSynced: registered.flags.contains(.backupEligible), name: name, createdAt: moment)
    }
}
