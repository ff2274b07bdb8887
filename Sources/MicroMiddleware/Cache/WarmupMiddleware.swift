package import Contracts
internal import Foundation
package import HTTPTypes
package import Hummingbird

/// Refuses with 503002 whoever is not let in while the service warms up, before anything is asked of the database or of
/// Redis. Costs a lock while all are admitted.
///
/// What other services ask belongs to requests that were let in, and passes. A bad token passes too: it is refused as ever.
package struct WarmupMiddleware: RouterMiddleware {
    private static let maximumBody = StrictJSON.maximumBytes

    private let controller: WarmupController
    private let verify: AuthenticationMiddleware.Verify
    private let refreshTokens: RefreshTokenCodec?

    /// - Parameter refreshTokens: reads refresh tokens, in the services that answer refreshes.
    package init(
        _ controller: WarmupController, verify: @escaping AuthenticationMiddleware.Verify,
        refreshTokens: RefreshTokenCodec? = nil
    ) {
        self.controller = controller
        self.verify = verify
        self.refreshTokens = refreshTokens
    }

    package func handle(
        _ request: Request, context: BaseRequestContext, next: Next<BaseRequestContext>
    ) async throws -> Response {
        guard !controller.isOpen, let priority = Self.priority(of: request.method, request.uri.path) else {
            return try await next(request, context)
        }
        var request = request
        if let token = AuthenticationMiddleware.bearer(request.headers[.authorization]),
            let claims = try? verify(token),
            controller.isGuest(claims)
        {
            return try await next(request, context)
        }
        if priority != .verify, let who = try await person(of: &request, context: context) {
            guard controller.present.admits(who, priority) else {
                controller.countRefusal()
                throw WarmupAdmission.refusal()
            }
        }
        return try await next(request, context)
    }

    /// What a request is worth; `nil` for what is always served. A read through the cache counts as verifying: what is cached
    /// costs the database nothing, and what is not is refused where it would be loaded. The gateway's `routes.yaml` says the same.
    package static func priority(of method: HTTPRequest.Method, _ path: String) -> RequestPriority? {
        guard path.hasPrefix("/api/v1/"), !path.hasPrefix("/api/v1/internal/") else { return nil }
        let words = path.dropFirst("/api/v1/".count).split(separator: "/")
        let last = words.count == 3 ? words[2] : ""
        let method = method == .head ? .get : method
        switch (words.first, words.dropFirst().first) {
        case ("auth", "refresh"), ("auth", "logout"), ("sessions", "refresh"), ("tokens", "revoke"): return .refresh
        case ("sessions", _) where method == .delete: return .refresh
        case ("auth", "login"), ("auth", "mfa"), ("auth", "webauthn"): return .login
        case ("auth", "check-permission"): return .verify
        case ("sessions", _) where last == "validate": return .verify
        case ("admin", "tokens") where last == "introspect": return .verify
        case ("auth", "me") where method == .delete && words.count > 2 && words[2] == "sessions": return .refresh
        case ("auth", "me") where method == .get: return .verify
        case ("sessions", nil) where method == .get: return .verify
        case ("profiles", _) where method == .get: return .verify
        default: return .other
        }
    }

    /// Whom a request is for: the user of its token, or who it is that signs in. `nil` when it is not to be refused here.
    private func person(of request: inout Request, context: BaseRequestContext) async throws -> String? {
        if let token = AuthenticationMiddleware.bearer(request.headers[.authorization]) {
            guard let claims = try? verify(token) else { return nil }
            return claims.subject.text
        }
        guard let bytes = try? await request.collectBody(upTo: Self.maximumBody),
            let body = try? StrictJSON.decode(Person.self, from: Array(bytes.readableBytesView))
        else { return nil }
        if let text = body.refreshToken, let token = try? refreshTokens?.decode(text) {
            // Whoever was let in since the ramp began stays in.
            if let grant = token.grant, let started = controller.startedAt, grant.confirmedAt >= started { return nil }
            return token.grant?.userID.text ?? token.sessionID.text
        }
        return (body.identity ?? body.email ?? body.username ?? body.phone).map { trimmed($0[...]).lowercased() }
            ?? context.clientAddress ?? ""
    }

    private struct Person: Decodable {
        let refreshToken: String?
        let identity: String?
        let email: String?
        let username: String?
        let phone: String?

        enum CodingKeys: String, CodingKey {
            case refreshToken = "refresh_token"
            case identity, email, username, phone
        }
    }
}
