package import ConnectionKit
import Contracts
package import Foundation
package import MicroMiddleware

/// What a token says and whether it may be used (RFC 7662), and the end of the session that it belongs to (RFC 7009).
package struct TokenInspection: Sendable {
    /// A token as it was given, understood.
    package enum Finding: Sendable {
        case access(AccessTokenClaims)
        /// A refresh token whose session lives and has not been refreshed with a later one.
        case refresh(RefreshToken, Session)

        /// Whether a service that takes such tokens may take this one. A confined token is good for one thing at identity or
        /// mfa; to everybody else it is none (RFC 7662, section 2.2: whoever asks is told what they may go by).
        package var isActive: Bool {
            if case .access(let claims) = self { !claims.isConfined } else { true }
        }
    }

    let repository: any SessionRepository
    let codec: RefreshTokenCodec
    let verify: AuthenticationMiddleware.Verify
    let lifetime: SessionLifetime
    let now: @Sendable () -> Date

    package init(
        repository: any SessionRepository, codec: RefreshTokenCodec, verify: @escaping AuthenticationMiddleware.Verify,
        lifetime: SessionLifetime, now: @escaping @Sendable () -> Date = { Date() }
    ) {
        self.repository = repository
        self.codec = codec
        self.verify = verify
        self.lifetime = lifetime
        self.now = now
    }

    /// What a token of the tenant is that can still be used, for whatever it is good for; nil for everything else, whatever the reason: RFC 7662, section 2.2.
    /// - Throws: ``RefreshTokenError/newerForm`` for one that a newer replica can read.
    package func inspect(_ text: String, tenantID: UUID, deadline: Deadline) async throws -> Finding? {
        if let claims = try? verify(text) {
            return claims.tenantID == tenantID ? .access(claims) : nil
        }
        let token: RefreshToken
        do throws(RefreshTokenError) {
            token = try codec.decode(text)
        } catch {
            if error == .newerForm { throw error }
            return nil
        }
        guard
            let session = try await repository.session(
                token.sessionID, tenantID: tenantID, deadline: deadline.forStatement)
        else { return nil }
        switch session.verdict(on: RefreshClaim(token), at: now(), grace: lifetime.grace) {
        case .rotate, .repeated, .ahead, .regained: return .refresh(token, session)
        case .reused, .revoked, .expired, .undecided: return nil
        }
    }
}
