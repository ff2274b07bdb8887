package import Contracts
package import MicroMiddleware

/// The session service, as a login sees it.
package protocol SessionOpening: Sendable {
    /// Opens the session, idempotently by its id. Fails fast when the session service is away.
    func open(_ request: CreateSessionRequest, scope: RequestScope) async throws -> CreateSessionAnswer

    /// Ends a session that was opened for a login which was refused after all. Twice is as good as once.
    func withdraw(_ request: WithdrawSessionRequest, scope: RequestScope) async throws

    /// Whether a device is one that the user trusts.
    func trusts(_ question: TrustedDeviceQuestion, scope: RequestScope) async throws -> Bool
}

/// The session service over HTTP.
package struct RemoteSessions: SessionOpening {
    let client: ServiceClient

    package init(_ client: ServiceClient) {
        self.client = client
    }

    package func open(_ request: CreateSessionRequest, scope: RequestScope) async throws -> CreateSessionAnswer {
        try await client.post(
            "/api/v1/internal/sessions", body: request, as: CreateSessionAnswer.self,
            scope: scope.capped(at: Budget.session),
            isIdempotent: true)
    }

    package func withdraw(_ request: WithdrawSessionRequest, scope: RequestScope) async throws {
        _ = try await client.post(
            "/api/v1/internal/sessions/withdraw", body: request, as: RevokedCount.self,
            scope: scope.capped(at: Budget.session), isIdempotent: true)
    }

    package func trusts(_ question: TrustedDeviceQuestion, scope: RequestScope) async throws -> Bool {
        try await client.post(
            "/api/v1/internal/trusted-devices/check", body: question, as: TrustedDeviceAnswer.self,
            scope: scope.capped(at: Budget.glance), isIdempotent: true
        ).trusted
    }
}
