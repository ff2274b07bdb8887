internal import Contracts
internal import Foundation
package import Logging
package import ServiceLifecycle

/// The keys and secrets of one process, composed from its settings: what it verifies with, and if it may, signs with.
package struct ServiceSecurity: Sendable {
    package let ring: KeyRing
    package let verifier: TokenVerifier
    package let revocations: RevocationSet
    package let credential: ServiceCredential
    private let source: KeySource

    /// Where the ring's keys are read from, and so what is watched.
    private enum KeySource {
        case environment
        case directory(String)
        case jwksFile(String)
    }

    /// For identity and session, which hold private keys: `keys.directory`, or `jwt.secret` where that is set.
    package static func signing(settings: ServiceSettings) throws -> ServiceSecurity {
        if let shared = try sharedRing(settings) {
            return try ServiceSecurity(ring: shared, source: .environment, settings: settings)
        }
        let directory = try settings.value(.keysDirectory)
        return try ServiceSecurity(
            ring: try KeyRing.load(directory: directory), source: .directory(directory), settings: settings)
    }

    /// For everyone else: `keys.jwks_file`, or `jwt.secret` where that is set.
    package static func verifying(settings: ServiceSettings) throws -> ServiceSecurity {
        if let shared = try sharedRing(settings) {
            return try ServiceSecurity(ring: shared, source: .environment, settings: settings)
        }
        let file = try settings.value(.publicKeysFile)
        return try ServiceSecurity(
            ring: try KeyRing.verificationOnly(jwksFile: file), source: .jwksFile(file), settings: settings)
    }

    private init(ring: KeyRing, source: KeySource, settings: ServiceSettings) throws {
        self.ring = ring
        self.source = source
        revocations = RevocationSet()
        verifier = TokenVerifier(
            ring: ring, issuer: try settings.value(.tokenIssuer), audience: try settings.value(.tokenAudience),
            revocations: revocations)
        credential = try ServiceCredential(service: settings.service, secret: try settings.value(.internalSecret))
    }

    private static func sharedRing(_ settings: ServiceSettings) throws -> KeyRing? {
        guard let secret = try settings.valueIfPresent(.jwtSecret) else { return nil }
        return try KeyRing.shared(secret: secret, previous: try settings.valueIfPresent(.previousJWTSecret))
    }

    /// What puts changed keys in force while the process runs: to be among the service's own. None where the keys come
    /// from the environment, which does not change.
    ///
    /// - Parameter uses: what the service signs, if it signs.
    package func watchers(
        signing uses: [KeyUse] = [], settings: ServiceSettings, logger: Logger
    ) throws -> [any Service] {
        let interval = try settings.value(.keysReloadInterval)
        switch source {
        case .environment: return []
        case .directory(let directory):
            return [
                KeyRingWatcher(ring: ring, directory: directory, uses: uses, interval: interval, logger: logger)
            ]
        case .jwksFile(let file):
            return [KeyRingWatcher(ring: ring, jwksFile: file, interval: interval, logger: logger)]
        }
    }

    /// Issues access tokens of the configured lifetime.
    package func issuer(settings: ServiceSettings) throws -> TokenIssuer {
        TokenIssuer(
            ring: ring, issuer: try settings.value(.tokenIssuer), audience: try settings.value(.tokenAudience),
            lifetime: try settings.value(.tokenLifetime))
    }

    /// A client of another service, which proves who calls.
    package func client(of target: String, at key: ConfigurationKey<String>, settings: ServiceSettings) throws
        -> ServiceClient
    {
        ServiceClient(target: target, baseURL: try settings.value(key)) { [credential] in
            try credential.issue(for: target)
        }
    }

    /// Verifies an access token, for ``Hummingbird/RouterMethods``' `authenticated`.
    package var verifyToken: AuthenticationMiddleware.Verify {
        { [verifier] in try verifier.verify($0) }
    }

    /// Verifies the credential of a calling service, for `internalOnly`.
    package var verifyCaller: InternalCredentialMiddleware.Verify {
        { [credential] in try credential.verify($0) }
    }
}

extension TokenIssuer: AccessTokenMinting {
    package func mint(_ grant: AccessTokenGrant) throws -> MintedAccessToken {
        let issued = try issue(
            subject: grant.user.id, tenantID: grant.user.tenantID,
            roles: grant.isConfined ? [] : grant.user.roles, sessionID: grant.sessionID,
            authenticatedAt: grant.authenticatedAt, methods: grant.methods, scope: grant.scope?.rawValue,
            mustChangePassword: grant.mustChangePassword, lifetime: grant.lifetime,
            permissions: grant.isConfined ? [] : grant.user.permissions ?? [], claimsReadAt: grant.claimsReadAt)
        let lifetime = issued.claims.expiresAt.timeIntervalSince(issued.claims.issuedAt)
        return MintedAccessToken(token: issued.token, expiresIn: Int(lifetime))
    }
}
