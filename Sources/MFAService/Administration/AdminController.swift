import ConnectionKit
import Contracts
import Foundation
import Hummingbird
import MicroMiddleware

/// What administrators do with the second factors of their own tenant's users.
struct AdminController: Sendable {
    let repository: any MFARepository
    let news: FactorNews

    /// Adds the routes to a group at `api/v1/admin`.
    func addRoutes(to group: some RouterMethods<AuthenticatedRequestContext>) {
        group.requiring(.mfaReset).post("mfa/reset/:user_id", use: reset)
    }

    /// For somebody who has lost every factor. The event tells the user.
    @Sendable private func reset(
        _ request: Request, context: AuthenticatedRequestContext
    ) async throws -> Envelope<ResetAnswer> {
        guard let user = context.parameters.get("user_id", as: UUID.self) else { throw MFAError.unknown }
        let (tenant, moment) = (context.identity.tenantID, Date())
        let event = try FactorActor(context).event(.mfaReset, of: user, tenantID: tenant, at: moment)
        let done = try await repository.reset(
            user, tenantID: tenant, now: moment, event: event, deadline: context.deadline.forStatement)
        guard done else { throw MFAError.unknown }
        // Until identity has heard, it goes on asking for a factor: nobody gets in by that.
        try? await news.tellAll(scope: context.scope)
        return Envelope(ResetAnswer(userID: user.text), message: "reset")
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
