import Contracts
import Foundation
import LocalStack
import MicroMiddleware

/// What tokens of the running suite are signed and checked with, by the settings that its identity service has.
struct DemoKeys {
    private let settings: ServiceSettings
    private let security: ServiceSecurity
    /// Whether tokens are signed with the shared secret of `jwt.secret`: then no public key verifies them.
    let areShared: Bool

    /// - Throws: what the keys or the settings cannot be read for.
    init(plan: StackPlan) async throws {
        settings = try await ServiceSettings.load(
            service: ServiceRole.identity.rawValue, arguments: [:],
            environment: plan.services.first { $0.role == .identity }?.environment ?? [:],
            configDirectory: "\(plan.layout.repository)/configs", environmentFile: "\(plan.layout.repository)/.env")
        security = try ServiceSecurity.signing(settings: settings)
        areShared = try settings.valueIfPresent(.jwtSecret) != nil
    }

    var algorithm: String { areShared ? "HS256" : "ES256" }

    /// For tokens under the shared secret.
    var sharedVerifier: TokenVerifier { security.verifier }

    /// For tokens under the published keys, with the suite's issuer and audience.
    func verifier(jwks: Data) throws -> TokenVerifier {
        TokenVerifier(
            ring: try KeyRing.verificationOnly(jwks: jwks), issuer: try settings.value(.tokenIssuer),
            audience: try settings.value(.tokenAudience), cacheCapacity: 0)
    }

    /// A token of five minutes for an auditor whom nobody has registered: the operator holds the keys.
    func auditorToken() throws -> String {
        try security.issuer(settings: settings).issue(
            subject: .v7(), tenantID: DefaultTenant.id, roles: ["auditor"], sessionID: .v7(), methods: ["operator"],
            lifetime: .seconds(300)
        ).token
    }
}
