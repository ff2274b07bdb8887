package import Contracts
package import Foundation
package import MicroMiddleware

/// The identity service, as second factors need it.
package protocol IdentityPort: Sendable {
    /// - Throws: 503 without identity; ``MFAError/unknown`` for a user that it does not know.
    func enrolment(of userID: UUID, tenantID: UUID, scope: RequestScope) async throws -> MFAEnrolment

    /// Tells which users have which factors. Doing it twice is as good as once.
    func tell(_ report: SecondFactorReport, scope: RequestScope) async throws -> SecondFactorReceipt
}

/// The identity service over HTTP.
package struct RemoteIdentity: IdentityPort {
    let client: ServiceClient

    package init(_ client: ServiceClient) {
        self.client = client
    }

    package func enrolment(of userID: UUID, tenantID: UUID, scope: RequestScope) async throws -> MFAEnrolment {
        do {
            return try await client.get(
                "/api/v1/internal/tenants/\(tenantID.text)/users/\(userID.text)/mfa-enrolment", as: MFAEnrolment.self,
                scope: scope.capped(at: .milliseconds(900)))
        } catch  where error.code == ErrorCode.notFound.value {
            throw MFAError.unknown
        } catch {
            throw APIError(.dependencyUnavailable)
        }
    }

    package func tell(_ report: SecondFactorReport, scope: RequestScope) async throws -> SecondFactorReceipt {
        try await client.post(
            "/api/v1/internal/second-factors", body: report, as: SecondFactorReceipt.self,
            scope: scope.capped(at: .milliseconds(900)), isIdempotent: true)
    }
}
