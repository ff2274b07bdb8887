import Contracts
import Foundation
import HTTPTypes
import Hummingbird
import MicroMiddleware

/// Refresh and logout: what holders of a refresh token ask. They need no access token.
struct RefreshController: Sendable {
    let refresh: Refresh
    let signOut: SignOut
    let verify: AuthenticationMiddleware.Verify

    init(refresh: Refresh, signOut: SignOut, verify: @escaping AuthenticationMiddleware.Verify) {
        self.refresh = refresh
        self.signOut = signOut
        self.verify = verify
    }

    /// Adds the routes to a group at `api/v1`.
    func addRoutes(to group: some RouterMethods<BaseRequestContext>) {
        group.post("auth/refresh", use: exchange)
        group.post("sessions/refresh", use: exchange)
        group.post("auth/logout", use: logout)
    }

    @Sendable private func exchange(
        _ request: Request, context: BaseRequestContext
    ) async throws -> Envelope<SignInAnswer> {
        let body = try await request.decode(as: RefreshRequest.self, context: context)
        let answer = try await refresh.refresh(
            body.refreshToken, actor: SessionActor(context), deadline: context.deadline)
        return Envelope(answer, message: "refreshed")
    }

    /// Whoever is signed out already has what they asked for.
    @Sendable private func logout(_ request: Request, context: BaseRequestContext) async throws -> Envelope<SignedOut> {
        let body = try await optionalBody(request, context: context)
        var identity: AccessTokenClaims?
        if let header = request.headers[.authorization], header.lowercased().hasPrefix("bearer ") {
            do {
                identity = try verify(String(header.dropFirst("bearer ".count)))
            } catch TokenError.revoked {
                if body?.refreshToken == nil { return Envelope(SignedOut(), message: "signed out") }
            } catch {
                if body?.refreshToken == nil { throw error }
            }
        }
        guard identity != nil || body?.refreshToken != nil else { throw SessionError.nothingToEnd }
        var actor = SessionActor(context)
        actor.userID = identity?.subject
        try await signOut.signOut(
            identity: identity, refreshToken: body?.refreshToken, actor: actor, deadline: context.deadline)
        return Envelope(SignedOut(), message: "signed out")
    }

    private func optionalBody(_ request: Request, context: BaseRequestContext) async throws -> LogoutRequest? {
        let hasBody =
            request.headers[.contentLength].map { $0 != "0" } ?? (request.headers[.transferEncoding] != nil)
        guard hasBody else { return nil }
        return try await request.decode(as: LogoutRequest.self, context: context)
    }
}

extension SessionActor {
    init(_ context: some ServiceRequestContext, userID: UUID? = nil) {
        self.init(
            userID: userID, ip: context.clientAddress, userAgent: context.userAgent, requestID: context.requestID)
    }
}

// MARK: - Bodies

private struct RefreshRequest: Decodable {
    let refreshToken: String

    enum CodingKeys: String, CodingKey {
        case refreshToken = "refresh_token"
    }
}

private struct LogoutRequest: Decodable {
    let refreshToken: String?

    enum CodingKeys: String, CodingKey {
        case refreshToken = "refresh_token"
    }
}

private struct SignedOut: Encodable {
    let signedOut = true

    enum CodingKeys: String, CodingKey {
        case signedOut = "signed_out"
    }
}
