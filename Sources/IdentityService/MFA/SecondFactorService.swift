package import Contracts
package import Foundation
package import MicroMiddleware

/// The mfa service, as a login sees it. Every call throws what a client is to be told: without an answer that is 503, so a
/// login that needs a second factor fails closed.
package protocol SecondFactorService: Sendable {
    func open(_ request: OpenChallengeRequest, scope: RequestScope) async throws -> OpenChallengeAnswer

    func verify(_ challengeID: UUID, _ request: VerifyChallengeRequest, scope: RequestScope) async throws
        -> VerifiedFactor

    /// Opens a challenge that a passkey alone may answer.
    func openAlone(_ request: OpenPasskeyChallengeRequest, scope: RequestScope) async throws -> OpenChallengeAnswer

    func verifyAlone(_ challengeID: UUID, _ request: VerifyPasskeyRequest, scope: RequestScope) async throws
        -> VerifiedPasskey
}

/// The mfa service over HTTP.
package struct RemoteSecondFactors: SecondFactorService {
    let client: ServiceClient

    package init(_ client: ServiceClient) {
        self.client = client
    }

    package func open(_ request: OpenChallengeRequest, scope: RequestScope) async throws -> OpenChallengeAnswer {
        try await telling {
            try await client.post(
                "/api/v1/internal/challenges", body: request, as: OpenChallengeAnswer.self,
                scope: scope.capped(at: Budget.mfa), isIdempotent: true)
        }
    }

    package func verify(
        _ challengeID: UUID, _ request: VerifyChallengeRequest, scope: RequestScope
    ) async throws -> VerifiedFactor {
        // Never tried twice: the code may have been used by the first.
        try await telling {
            try await client.post(
                "/api/v1/internal/challenges/\(challengeID.text)/verify", body: request, as: VerifiedFactor.self,
                scope: scope.capped(at: Budget.mfa))
        }
    }

    package func openAlone(
        _ request: OpenPasskeyChallengeRequest, scope: RequestScope
    ) async throws -> OpenChallengeAnswer {
        try await telling {
            try await client.post(
                "/api/v1/internal/passkey-challenges", body: request, as: OpenChallengeAnswer.self,
                scope: scope.capped(at: Budget.mfa), isIdempotent: true)
        }
    }

    package func verifyAlone(
        _ challengeID: UUID, _ request: VerifyPasskeyRequest, scope: RequestScope
    ) async throws -> VerifiedPasskey {
        try await telling {
            try await client.post(
                "/api/v1/internal/passkey-challenges/\(challengeID.text)/verify", body: request,
                as: VerifiedPasskey.self, scope: scope.capped(at: Budget.mfa))
        }
    }

    private func telling<Answer>(_ call: () async throws -> Answer) async throws -> Answer {
        do {
            return try await call()
        } catch let error as ServiceCallError {
            if error.isUnavailable { throw APIError(.dependencyUnavailable) }
            throw error.refusal ?? error.apiError
        }
    }
}
