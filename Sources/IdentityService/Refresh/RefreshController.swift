import Contracts
import Foundation
import HTTPTypes
import Hummingbird
import MicroMiddleware

/// Refresh, where the session service cannot be reached. The gateway comes here second.
struct RefreshController: Sendable {
    let fallback: RefreshFallback

    init(fallback: RefreshFallback) {
        self.fallback = fallback
    }

    /// Adds the route to a group at `api/v1`.
    func addRoutes(to group: some RouterMethods<BaseRequestContext>) {
        group.post("auth/refresh", use: refresh)
    }

    @Sendable private func refresh(
        _ request: Request, context: BaseRequestContext
    ) async throws -> Envelope<SignInAnswer> {
        let body = try await request.decode(as: RefreshRequest.self, context: context)
        do {
            return Envelope(
                try await fallback.refresh(body.refreshToken, origin: RequestOrigin(context)), message: "refreshed")
        } catch let error as ServiceCallError {
            // What session refused, it refused to the client: its code and message, not ours.
            throw error.refusal ?? error.apiError
        }
    }
}

private struct RefreshRequest: Decodable {
    let refreshToken: String

    enum CodingKeys: String, CodingKey {
        case refreshToken = "refresh_token"
    }
}
