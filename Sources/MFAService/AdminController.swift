import ConnectionKit
import Contracts
import Foundation
import Hummingbird
import MicroMiddleware

/// What administrators do with the second factors of their own tenant's users.
struct AdminController: Sendable {
    let repository: any MFARepository & PasskeyRepository
    let factors: FactorReset

    /// Adds the routes to a group at `api/v1/admin`.
    func addRoutes(to group: some RouterMethods<AuthenticatedRequestContext>) {
        group.requiring(.usersRead).get("mfa/users/:user_id", use: status)
        group.requiring(.mfaReset).requiring(stepUp: MyFactorsController.removalAge)
            .post("mfa/reset/:user_id", use: reset)
    }

    /// What a user has set up; nothing for somebody who is no user of the tenant.
    @Sendable private func status(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<MethodList> {
        guard let user = context.parameters.get("user_id", as: UUID.self) else { throw MFAError.unknown }
        let (tenant, deadline) = (context.identity.tenantID, context.deadline.forStatement)
        let factors = try await repository.factors(of: user, tenantID: tenant, deadline: deadline)
        return Envelope(
            MethodList(factors, try await repository.passkeys(of: user, tenantID: tenant, deadline: deadline)))
    }

    @Sendable private func reset(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<ResetAnswer> {
        guard let user = context.parameters.get("user_id", as: UUID.self) else { throw MFAError.unknown }
        let reason = try await ResetRequest.reason(of: request, context: context)
        try await factors.reset(
            user, reason: reason, by: context.identity, actor: FactorActor(context), scope: context.scope)
        return Envelope(ResetAnswer(userID: user.text), message: "reset")
    }
}

/// `{reason?}`; the whole body may be absent.
private struct ResetRequest: Decodable {
    let reason: String?

    static func reason(
        of request: Request, context: AuthenticatedRequestContext
    ) async throws -> String? {
        let isEmpty = request.headers[.contentLength].map { $0 == "0" } ?? (request.headers[.contentType] == nil)
        guard !isEmpty else { return nil }
        let body = try await request.decode(as: ResetRequest.self, context: context)
        guard let reason = body.reason?.trimmingCharacters(in: .whitespacesAndNewlines) else { return nil }
        guard (3...500).contains(reason.unicodeScalars.count) else {
            throw APIError.invalid("reason", "must have 3 to 500 characters")
        }
        return reason
    }
}

private struct ResetAnswer: Encodable {
    let userID: String
    let reset = true

    enum CodingKeys: String, CodingKey {
        case userID = "user_id"
        case reset
    }
}
