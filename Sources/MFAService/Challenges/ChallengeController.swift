import Contracts
import Foundation
import Hummingbird
import MicroMiddleware

/// What identity asks of the mfa service.
struct ChallengeController: Sendable {
    let desk: ChallengeDesk
    let passkeys: PasskeyProof

    /// Adds the routes to a group at `api/v1/internal`.
    func addRoutes(to group: some RouterMethods<InternalRequestContext>) {
        group.post("challenges", use: open)
        group.post("challenges/:challenge_id/verify", use: verify)
        group.post("passkey-challenges", use: openAlone)
        group.post("passkey-challenges/:challenge_id/verify", use: verifyAlone)
    }

    @Sendable private func open(
        _ request: Request, context: InternalRequestContext
    ) async throws -> Envelope<OpenChallengeAnswer> {
        let body = try await request.decode(as: OpenChallengeRequest.self, context: context)
        return Envelope(try await desk.open(body, scope: context.scope), status: .created)
    }

    @Sendable private func verify(
        _ request: Request, context: InternalRequestContext
    ) async throws -> Envelope<VerifiedFactor> {
        guard let id = context.parameters.get("challenge_id", as: UUID.self) else { throw MFAError.challengeOver }
        let body = try await request.decode(as: VerifyChallengeRequest.self, context: context)
        return Envelope(try await desk.verify(id, body, scope: context.scope))
    }

    @Sendable private func openAlone(
        _ request: Request, context: InternalRequestContext
    ) async throws -> Envelope<OpenChallengeAnswer> {
        let body = try await request.decode(as: OpenPasskeyChallengeRequest.self, context: context)
        return Envelope(try await passkeys.open(body, scope: context.scope), status: .created)
    }

    @Sendable private func verifyAlone(
        _ request: Request, context: InternalRequestContext
    ) async throws -> Envelope<VerifiedPasskey> {
        guard let id = context.parameters.get("challenge_id", as: UUID.self) else { throw MFAError.challengeOver }
        let body = try await request.decode(as: VerifyPasskeyRequest.self, context: context)
        return Envelope(try await passkeys.verifyAlone(id, body, scope: context.scope))
    }
}
