import Contracts
import Foundation
import Hummingbird
import MicroMiddleware
import QRCodes

/// What users do with their own second factors.
struct MyFactorsController: Sendable {
    /// How long ago somebody who sets a factor up may have proven who they are.
    static let setupAge = Duration.seconds(900)
    /// The same for taking one away.
    static let removalAge = Duration.seconds(300)

    let repository: any MFARepository & PasskeyRepository
    let totp: TOTPSetup
    let recovery: RecoveryCodes

    /// Adds the routes to a group at `api/v1` that takes tokens for setting up, too.
    func addRoutes(to group: some RouterMethods<AuthenticatedRequestContext>) {
        let setup = group.requiring(stepUp: Self.setupAge)
        setup.post("mfa/totp/setup", use: proposeTOTP)
        setup.post("mfa/totp/verify", use: enableTOTP)
        group.get("mfa/methods", use: methods)
        group.get("auth/me/mfa-methods", use: methods)
        group.get("mfa/backup-codes/count", use: countCodes)
        let proven = group.requiring(stepUp: Self.removalAge, bySecondFactor: true)
        proven.post("mfa/totp/disable", use: disableTOTP)
        proven.post("mfa/backup-codes/generate", use: regenerateCodes)
    }

    @Sendable private func methods(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<MethodList> {
        let identity = context.identity
        let factors = try await repository.factors(
            of: identity.subject, tenantID: identity.tenantID, deadline: context.deadline.forStatement)
        let passkeys = try await repository.passkeys(
            of: identity.subject, tenantID: identity.tenantID, deadline: context.deadline.forStatement)
        return Envelope(MethodList(factors, passkeys))
    }

    @Sendable private func proposeTOTP(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<SetupAnswer> {
        try await repository.requireProofToAdd(context)
        let identity = context.identity
        let proposal = try await totp.propose(
            for: identity.subject, tenantID: identity.tenantID, scope: context.scope)
        guard let picture = QRCode(proposal.uri)?.png() else { throw APIError(.internal) }
        return Envelope(
            SetupAnswer(
                secret: proposal.secret, qrCodeURL: proposal.uri,
                qrCode: "data:image/png;base64," + Data(picture).base64EncodedString()))
    }

    @Sendable private func enableTOTP(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<EnabledAnswer> {
        let body = try await request.decode(as: CodeBody.self, context: context)
        try await repository.requireProofToAdd(context)
        let identity = context.identity
        let codes = try await totp.enable(
            with: body.code, for: identity.subject, tenantID: identity.tenantID, actor: FactorActor(context),
            scope: context.scope)
        return Envelope(
            EnabledAnswer(backupCodes: codes.map(\.text)), message: "One-time passwords are enabled. Keep the codes.")
    }

    @Sendable private func disableTOTP(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<MethodList> {
        let identity = context.identity
        try await totp.disable(
            for: identity.subject, tenantID: identity.tenantID, actor: FactorActor(context), scope: context.scope)
        return try await methods(request, context: context)
    }

    @Sendable private func regenerateCodes(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<CodesAnswer> {
        let identity = context.identity
        let codes = try await recovery.regenerate(
            for: identity.subject, tenantID: identity.tenantID, actor: FactorActor(context), scope: context.scope)
        return Envelope(
            CodesAnswer(codes: codes.map(\.text)), message: "Keep the codes; those before are void.", status: .created)
    }

    @Sendable private func countCodes(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<CountAnswer> {
        let identity = context.identity
        return Envelope(
            CountAnswer(
                count: try await recovery.count(
                    of: identity.subject, tenantID: identity.tenantID, scope: context.scope)))
    }

}

extension MFARepository {
    /// Whoever has a factor proves it before adding another, so that a password alone does not get around it.
    /// - Throws: ``MFAError/stepUpRequired``
    func requireProofToAdd(_ context: AuthenticatedRequestContext) async throws {
        let identity = context.identity
        let factors = try await factors(
            of: identity.subject, tenantID: identity.tenantID, deadline: context.deadline.forStatement)
        guard factors.methods.isEmpty || !factors.isTold || identity.methods.contains("mfa") else {
            throw MFAError.stepUpRequired
        }
    }
}

// MARK: - Bodies

private struct CodeBody: Decodable {
    let code: String

    enum CodingKeys: String, CodingKey { case code }

    init(from decoder: any Decoder) throws {
        code = try decoder.container(keyedBy: CodingKeys.self).decode(String.self, forKey: .code)
        guard code.utf8.count <= 64 else { throw APIError.invalid("code", "is too long") }
    }
}

private struct SetupAnswer: Encodable {
    let secret: String
    let qrCodeURL: String
    let qrCode: String

    enum CodingKeys: String, CodingKey {
        case secret
        case qrCodeURL = "qr_code_url"
        case qrCode = "qr_code"
    }
}

private struct EnabledAnswer: Encodable {
    let enabled = true
    let backupCodes: [String]

    enum CodingKeys: String, CodingKey {
        case enabled
        case backupCodes = "backup_codes"
    }
}

private struct CodesAnswer: Encodable {
    let codes: [String]

    enum CodingKeys: String, CodingKey { case codes = "backup_codes" }
}

private struct CountAnswer: Encodable {
    let count: Int
}
