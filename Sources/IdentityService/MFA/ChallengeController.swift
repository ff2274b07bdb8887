import Contracts
import Foundation
import Hummingbird
import MicroMiddleware

/// Where somebody answers to a challenge: to complete a login, or to step up.
struct ChallengeController: Sendable {
    let completion: ChallengeCompletion
    let stepUp: StepUp
    let passkeyLogin: PasskeyLogin

    /// Adds the routes to a group at `api/v1`; to the second argument, which is the same, what each address has a budget for.
    func addRoutes(
        to group: some RouterMethods<BaseRequestContext>, budgeted: some RouterMethods<BaseRequestContext>,
        authenticated: some RouterMethods<AuthenticatedRequestContext>
    ) {
        group.post("auth/mfa/verify-challenge", use: verify)
        budgeted.post("auth/webauthn/login/begin", use: beginPasskey)
        group.post("auth/webauthn/login/complete", use: completePasskey)
        authenticated.post("mfa/step-up/begin", use: beginStepUp)
        authenticated.post("mfa/step-up", use: completeStepUp)
    }

    @Sendable private func verify(
        _ request: Request, context: BaseRequestContext
    ) async throws -> Envelope<SignInAnswer> {
        let body = try await request.decode(as: ChallengeBody.self, context: context)
        guard let token = body.challengeToken else { throw APIError.invalid("challenge_token", "is missing") }
        let attempt = ChallengeAttempt(
            challengeToken: token, method: body.method, code: body.code, credential: body.credential,
            remembersDevice: body.remembersDevice, trustedDevice: DeviceCookie.readTrusted(request))
        return Envelope(
            try await completion.complete(attempt, origin: RequestOrigin(context)), message: "signed in")
    }

    @Sendable private func beginPasskey(
        _ request: Request, context: BaseRequestContext
    ) async throws -> Envelope<SecondFactorDue> {
        let body = try await request.decode(as: PasskeyBeginning.self, context: context)
        return Envelope(
            try await passkeyLogin.begin(
                tenantID: request.tenantID(body: body.tenantID), origin: RequestOrigin(context)))
    }

    @Sendable private func completePasskey(
        _ request: Request, context: BaseRequestContext
    ) async throws -> Envelope<SignInAnswer> {
        let body = try await request.decode(as: PasskeyCompletion.self, context: context)
        let answer = try await passkeyLogin.complete(
            body.challengeToken, credential: body.credential, trustedDevice: DeviceCookie.readTrusted(request),
            origin: RequestOrigin(context))
        return Envelope(answer, message: "signed in")
    }

    @Sendable private func beginStepUp(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<SecondFactorDue> {
        Envelope(try await stepUp.begin(context.identity, origin: RequestOrigin(context)))
    }

    @Sendable private func completeStepUp(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<SteppedUp> {
        let body = try await request.decode(as: ChallengeBody.self, context: context)
        let access = try await stepUp.complete(
            context.identity, challengeToken: body.challengeToken, method: body.method, code: body.code,
            credential: body.credential, origin: RequestOrigin(context))
        return Envelope(
            SteppedUp(accessToken: access.token, expiresIn: access.expiresIn), message: "proven once more")
    }
}

// MARK: - Bodies

/// `{challenge_token?, mfa_method, code | credential}`; of a passkey the credential may also be in `code`, as JSON text.
private struct ChallengeBody: Decodable {
    static let maximumCodeCount = 16_384

    let challengeToken: String?
    let method: MFAMethod
    let code: String?
    let credential: WebAuthnCredential?
    let remembersDevice: Bool

    enum CodingKeys: String, CodingKey {
        case challengeToken = "challenge_token"
        case method = "mfa_method"
        case code, credential
        case remembersDevice = "remember_device"
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        challengeToken = try container.decodeIfPresent(String.self, forKey: .challengeToken)
        remembersDevice = try container.decodeIfPresent(Bool.self, forKey: .remembersDevice) ?? false
        let name = try container.decode(String.self, forKey: .method)
        guard let method = MFAMethod(rawValue: name) else {
            throw APIError.invalid("mfa_method", "must be totp, backup_code or webauthn")
        }
        self.method = method
        let text = try container.decodeIfPresent(String.self, forKey: .code)
        var credential = try container.decodeIfPresent(WebAuthnCredential.self, forKey: .credential)
        if method == .webauthn {
            if credential == nil, let text, text.utf8.count <= Self.maximumCodeCount {
                credential = try? StrictJSON.decode(WebAuthnCredential.self, from: Array(text.utf8))
            }
            guard credential != nil else { throw APIError.invalid("credential", "is missing") }
            code = nil
        } else {
            guard let text else { throw APIError.invalid("code", "is missing") }
            guard text.utf8.count <= 64 else { throw APIError.invalid("code", "is too long") }
            code = text
        }
        self.credential = credential
    }
}

private struct PasskeyBeginning: Decodable {
    let tenantID: UUID?

    enum CodingKeys: String, CodingKey { case tenantID = "tenant_id" }
}

private struct PasskeyCompletion: Decodable {
    let challengeToken: String
    let credential: WebAuthnCredential

    enum CodingKeys: String, CodingKey {
        case challengeToken = "challenge_token"
        case credential
    }
}

private struct SteppedUp: Encodable {
    let accessToken: String
    let expiresIn: Int
    let tokenType = "Bearer"

    enum CodingKeys: String, CodingKey {
        case accessToken = "access_token"
        case expiresIn = "expires_in"
        case tokenType = "token_type"
    }
}
