import Contracts
import Foundation
import Hummingbird
import MicroMiddleware

/// What users do with their own passkeys.
struct PasskeyController: Sendable {
    let repository: any MFARepository & PasskeyRepository
    let registrar: PasskeyRegistrar

    /// Adds the routes to a group at `api/v1` that takes tokens for setting up, too.
    func addRoutes(to group: some RouterMethods<AuthenticatedRequestContext>) {
        let path: RouterPath = "mfa/webauthn/credentials"
        group.get(path, use: list)
        group.put("mfa/webauthn/credentials/:passkey_id", use: rename)
        let setup = group.requiring(stepUp: MyFactorsController.setupAge)
        setup.post("mfa/webauthn/credentials/register", use: begin)
        setup.post("mfa/webauthn/credentials/register/verify", use: finish)
        group.requiring(stepUp: MyFactorsController.removalAge, bySecondFactor: true)
            .delete("mfa/webauthn/credentials/:passkey_id", use: remove)
    }

    @Sendable private func list(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> ListEnvelope<PasskeyView> {
        let identity = context.identity
        let passkeys = try await repository.passkeys(
            of: identity.subject, tenantID: identity.tenantID, deadline: context.deadline.forStatement)
        return ListEnvelope(
            passkeys.map(PasskeyView.init), total: passkeys.count, page: Page(size: Passkey.maximumCount))
    }

    @Sendable private func begin(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<CreationAnswer> {
        try await repository.requireProofToAdd(context)
        let options = try await registrar.begin(
            for: context.identity.subject, tenantID: context.identity.tenantID, scope: context.scope)
        return Envelope(CreationAnswer(publicKey: options))
    }

    @Sendable private func finish(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<PasskeyView> {
        let body = try await request.decode(as: RegistrationBody.self, context: context)
        try await repository.requireProofToAdd(context)
        let (passkey, codes) = try await registrar.finish(
            body.credential, name: body.name, for: context.identity.subject, tenantID: context.identity.tenantID,
            actor: FactorActor(context), scope: context.scope)
        var view = PasskeyView(passkey)
        view.backupCodes = codes.isEmpty ? nil : codes.map(\.text)
        return Envelope(view, message: "registered", status: .created)
    }

    @Sendable private func rename(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<PasskeyView> {
        let body = try await request.decode(as: NameBody.self, context: context)
        let renamed = try await registrar.rename(
            try Self.id(context), to: body.name, for: context.identity.subject,
            tenantID: context.identity.tenantID, actor: FactorActor(context), scope: context.scope)
        return Envelope(PasskeyView(renamed), message: "renamed")
    }

    @Sendable private func remove(_ request: Request, context: AuthenticatedRequestContext) async throws -> Response {
        try await registrar.remove(
            try Self.id(context), for: context.identity.subject, tenantID: context.identity.tenantID,
            actor: FactorActor(context), scope: context.scope)
        return Response(status: .noContent)
    }

    private static func id(_ context: AuthenticatedRequestContext) throws -> UUID {
        guard let id = context.parameters.get("passkey_id", as: UUID.self) else { throw MFAError.unknown }
        return id
    }
}

// MARK: - Bodies

private struct CreationAnswer: Encodable {
    let publicKey: WebAuthnCreationOptions
}

/// `{credential: {…}, name?}`
private struct RegistrationBody: Decodable {
    let credential: WebAuthnCredential
    let name: String

    enum CodingKeys: String, CodingKey { case credential, name }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        credential = try container.decode(WebAuthnCredential.self, forKey: .credential)
        name = try container.decodeIfPresent(String.self, forKey: .name) ?? "Passkey"
    }
}

private struct NameBody: Decodable {
    let name: String
}

struct PasskeyView: Encodable, Sendable {
    let id: String
    let name: String
    let credentialID: String
    let transports: [String]
    let isSynced: Bool
    let attestation: String
    let createdAt: Date
    let lastUsedAt: Date?
    /// Beside a user's first factor, this once.
    var backupCodes: [String]?

    init(_ passkey: Passkey) {
        id = passkey.id.text
        name = passkey.name
        credentialID = Base64URLText.text(passkey.credentialID)
        transports = passkey.transports
        isSynced = passkey.isSynced
        attestation = passkey.attestation
        createdAt = passkey.createdAt
        lastUsedAt = passkey.lastUsedAt
    }

    enum CodingKeys: String, CodingKey {
        case id, name, transports, attestation
        case credentialID = "credential_id"
        case isSynced = "synced"
        case createdAt = "created_at"
        case lastUsedAt = "last_used_at"
        case backupCodes = "backup_codes"
    }
}
