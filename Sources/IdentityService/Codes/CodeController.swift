import Contracts
import Foundation
import Hummingbird
import MicroMiddleware

/// What somebody without a token does with a code from a mail. Every answer is the same, and leaves at the same pace, whether
/// or not there is such a user.
struct CodeController: Sendable {
    let reset: PasswordReset
    let verification: EmailVerification
    let atSteadyPace: SteadyPace

    init(reset: PasswordReset, verification: EmailVerification, pace: SteadyPace = SteadyPace()) {
        self.reset = reset
        self.verification = verification
        atSteadyPace = pace
    }

    /// Adds the routes to a group at `api/v1`.
    func addRoutes(to group: some RouterMethods<BaseRequestContext>) {
        group.post("auth/forgot-password", use: forgotPassword)
        group.post("auth/verify-reset-code", use: verifyResetCode)
        group.post("auth/reset-password", use: resetPassword)
        group.post("auth/send-verification-email", use: sendVerification)
        group.post("auth/verify-email", use: verifyEmail)
    }

    @Sendable private func forgotPassword(
        _ request: Request, context: BaseRequestContext
    ) async throws -> Envelope<CodeRequested> {
        let body = try await request.decode(as: IdentityRequest.self, context: context)
        let tenantID = try request.tenantID(body: body.tenantID)
        try await atSteadyPace {
            try await reset.request(body.identity, tenantID: tenantID, origin: RequestOrigin(context))
        }
        return Envelope(
            CodeRequested(purpose: .passwordReset),
            message: "If there is such an account with an e-mail address, a code is on its way to it.")
    }

    @Sendable private func verifyResetCode(
        _ request: Request, context: BaseRequestContext
    ) async throws -> Envelope<CodeValid> {
        let body = try await request.decode(as: CodeRequest.self, context: context)
        let tenantID = try request.tenantID(body: body.tenantID)
        try await atSteadyPace {
            try await reset.verify(
                body.code, identity: body.identity, tenantID: tenantID, origin: RequestOrigin(context))
        }
        return Envelope(CodeValid())
    }

    @Sendable private func resetPassword(
        _ request: Request, context: BaseRequestContext
    ) async throws -> Envelope<PasswordResetDone> {
        let body = try await request.decode(as: ResetRequest.self, context: context)
        let tenantID = try request.tenantID(body: body.of.tenantID)
        try await atSteadyPace {
            try await reset.reset(
                body.of.identity, code: body.of.code, to: body.newPassword, declared: body.transmission,
                tenantID: tenantID, origin: RequestOrigin(context))
        }
        return Envelope(
            PasswordResetDone(), message: "The password is changed, and every session is signed out. Sign in again.")
    }

    @Sendable private func sendVerification(
        _ request: Request, context: BaseRequestContext
    ) async throws -> Envelope<CodeRequested> {
        let body = try await request.decode(as: IdentityRequest.self, context: context)
        let tenantID = try request.tenantID(body: body.tenantID)
        try await atSteadyPace {
            try await verification.request(body.identity, tenantID: tenantID, origin: RequestOrigin(context))
        }
        return Envelope(
            CodeRequested(purpose: .emailVerification),
            message: "If there is such an account and its address is not verified yet, a code is on its way to it.")
    }

    @Sendable private func verifyEmail(
        _ request: Request, context: BaseRequestContext
    ) async throws -> Envelope<EmailVerified> {
        let body = try await request.decode(as: CodeRequest.self, context: context)
        let tenantID = try request.tenantID(body: body.tenantID)
        try await atSteadyPace {
            try await verification.verify(
                body.code, identity: body.identity, tenantID: tenantID, origin: RequestOrigin(context))
        }
        return Envelope(EmailVerified(), message: "The e-mail address is verified.")
    }
}

// MARK: - Bodies

/// `identity`, or one of its aliases.
struct IdentityRequest: Decodable {
    let identity: String
    let tenantID: UUID?

    enum CodingKeys: String, CodingKey, CaseIterable {
        case identity, email, username, phone
        case tenantID = "tenant_id"
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        var identity: String?
        for key in [CodingKeys.identity, .email, .username, .phone] where identity == nil {
            identity = try container.decodeIfPresent(String.self, forKey: key)
        }
        self.identity = try identity ?? container.decode(String.self, forKey: .identity)
        tenantID = try container.decodeIfPresent(UUID.self, forKey: .tenantID)
    }
}

private struct CodeRequest: Decodable {
    let identity: String
    let code: String
    let tenantID: UUID?

    enum CodingKeys: String, CodingKey {
        case code
    }

    init(from decoder: any Decoder) throws {
        let whose = try IdentityRequest(from: decoder)
        identity = whose.identity
        tenantID = whose.tenantID
        code = try decoder.container(keyedBy: CodingKeys.self).decode(String.self, forKey: .code)
    }
}

/// `new_password` or `password`.
private struct ResetRequest: Decodable {
    let of: CodeRequest
    let newPassword: String
    let transmission: String?

    enum CodingKeys: String, CodingKey {
        case newPassword = "new_password"
        case password
        case transmission = "password_transmission"
    }

    init(from decoder: any Decoder) throws {
        of = try CodeRequest(from: decoder)
        let container = try decoder.container(keyedBy: CodingKeys.self)
        newPassword =
            try container.decodeIfPresent(String.self, forKey: .password)
            ?? container.decode(String.self, forKey: .newPassword)
        transmission = try container.decodeIfPresent(String.self, forKey: .transmission)
    }
}

private struct CodeRequested: Encodable {
    let expiresIn: Int

    init(purpose: CodePurpose) {
        expiresIn = Int(purpose.lifetime)
    }

    enum CodingKeys: String, CodingKey {
        case expiresIn = "expires_in"
    }
}

private struct CodeValid: Encodable {
    let valid = true
}

private struct PasswordResetDone: Encodable {
    let reset = true
}

private struct EmailVerified: Encodable {
    let verified = true
}
