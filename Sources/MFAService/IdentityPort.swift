package import Contracts
package import Foundation
package import MicroMiddleware

/// The identity service, as second factors need it.
package protocol IdentityPort: Sendable {
    /// - Throws: 503 without identity; ``MFAError/unknown`` for a user that it does not know.
    func enrolment(of userID: UUID, tenantID: UUID, scope: RequestScope) async throws -> MFAEnrolment

    /// What somebody may do in a tenant.
    /// - Throws: 503 without identity; ``MFAError/unknown`` for a user that it does not know.
    func authority(of userID: UUID, tenantID: UUID, scope: RequestScope) async throws -> UserAuthority

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
        try await ask("mfa-enrolment", of: userID, tenantID: tenantID, as: MFAEnrolment.self, scope: scope)
    }

    package func authority(of userID: UUID, tenantID: UUID, scope: RequestScope) async throws -> UserAuthority {
        try await ask("authority", of: userID, tenantID: tenantID, as: UserAuthority.self, scope: scope)
    }

    private func ask<Answer: Decodable & Sendable>(
        _ what: String, of userID: UUID, tenantID: UUID, as type: Answer.Type, scope: RequestScope
    ) async throws -> Answer {
        do {
            return try await client.get(
                "/api/v1/internal/tenants/\(tenantID.text)/users/\(userID.text)/\(what)", as: type,
                scope: scope.capped(at: .milliseconds(900)))
        } catch {
            throw Self.failure(error)
        }
    }

    /// What a question about a user comes to that has no answer. An identity of before does not know of every question: then
    /// nobody has said that there is no such user, and the next replica that is asked may know.
    package static func failure(_ error: ServiceCallError) -> any Error {
        if error.code == ErrorCode.notFound.value, !error.isPathUnknown { return MFAError.unknown }
        return APIError(.dependencyUnavailable)
    }

    package func tell(_ report: SecondFactorReport, scope: RequestScope) async throws -> SecondFactorReceipt {
        try await client.post(
            "/api/v1/internal/second-factors", body: report, as: SecondFactorReceipt.self,
            scope: scope.capped(at: .milliseconds(900)), isIdempotent: true)
    }
}
