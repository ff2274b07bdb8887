import Contracts
import Foundation
import Hummingbird
import MicroMiddleware

/// What other services ask of the session service.
struct InternalController: Sendable {
    let opening: Opening
    let signOut: SignOut
    let deviceTrust: DeviceTrust
    let repository: any SessionRepository
    let identityEvents: IdentityEvents

    init(
        opening: Opening, signOut: SignOut, deviceTrust: DeviceTrust, repository: any SessionRepository,
        identityEvents: IdentityEvents
    ) {
        self.identityEvents = identityEvents
        self.opening = opening
        self.signOut = signOut
        self.deviceTrust = deviceTrust
        self.repository = repository
    }

    /// Adds the routes to a group at `api/v1/internal`.
    func addRoutes(to group: some RouterMethods<InternalRequestContext>) {
        group.post("sessions", use: open)
        group.post("sessions/withdraw", use: withdraw)
        group.post("users/:user_id/password-changed", use: passwordChanged)
        group.post("identity-events", use: hear)
        group.post("trusted-devices/check", use: checkDevice)
        group.get("revocations", use: revocations)
        group.post("refreshes/unanswered", use: takeBack)
    }

    @Sendable private func open(
        _ request: Request, context: InternalRequestContext
    ) async throws -> Envelope<CreateSessionAnswer> {
        let body = try await request.decode(as: CreateSessionRequest.self, context: context)
        let answer = try await opening.open(body, requestID: context.requestID, deadline: context.deadline)
        return Envelope(answer, status: .created)
    }

    @Sendable private func withdraw(
        _ request: Request, context: InternalRequestContext
    ) async throws -> Envelope<RevokedCount> {
        let body = try await request.decode(as: WithdrawSessionRequest.self, context: context)
        let count = try await signOut.withdraw(
            body.sessionID, of: body.userID, tenantID: body.tenantID,
            actor: SessionActor(userID: body.userID, requestID: context.requestID), deadline: context.deadline)
        return Envelope(RevokedCount(revoked: count))
    }

    /// What identity tells itself comes by the broker, too.
    @Sendable private func hear(
        _ request: Request, context: InternalRequestContext
    ) async throws -> Envelope<AppliedCount> {
        let notice = try await request.decode(as: IdentityEventsNotice.self, context: context)
        guard notice.events.count <= IdentityEventsNotice.maximumCount else {
            throw APIError.invalid("events", "are more than \(IdentityEventsNotice.maximumCount)")
        }
        try await identityEvents.apply(notice.events, deadline: context.deadline)
        return Envelope(AppliedCount(applied: notice.events.count))
    }

    /// Of an identity service of before.
    @Sendable private func passwordChanged(
        _ request: Request, context: InternalRequestContext
    ) async throws -> Envelope<RevokedCount> {
        guard let user = context.parameters.get("user_id", as: UUID.self) else {
            throw APIError.invalid("user_id", "must be a UUID")
        }
        let notice = try await request.decode(as: PasswordChangedNotice.self, context: context)
        let count = try await signOut.passwordChanged(
            of: user, notice, actor: SessionActor(userID: user, requestID: context.requestID),
            deadline: context.deadline)
        return Envelope(RevokedCount(revoked: count))
    }

    /// Identity was asked while this service gave no answer: what was exchanged then was exchanged for nobody.
    @Sendable private func takeBack(
        _ request: Request, context: InternalRequestContext
    ) async throws -> Envelope<TakenBackCount> {
        let notice = try await request.decode(as: UnansweredRefreshNotice.self, context: context)
        guard notice.refreshes.count <= UnansweredRefreshNotice.maximumCount else {
            throw APIError.invalid("refreshes", "are more than \(UnansweredRefreshNotice.maximumCount)")
        }
        var count = 0
        for refresh in notice.refreshes {
            let isUndone = try await repository.takeBack(
                refresh, actor: SessionActor(requestID: context.requestID), deadline: context.deadline.forStatement)
            if isUndone { count += 1 }
        }
        return Envelope(TakenBackCount(takenBack: count))
    }

    @Sendable private func checkDevice(
        _ request: Request, context: InternalRequestContext
    ) async throws -> Envelope<TrustedDeviceAnswer> {
        let question = try await request.decode(as: TrustedDeviceQuestion.self, context: context)
        return Envelope(
            TrustedDeviceAnswer(trusted: try await deviceTrust.check(question, deadline: context.deadline)))
    }

    @Sendable private func revocations(
        _ request: Request, context: InternalRequestContext
    ) async throws -> Envelope<RevocationPage> {
        let query = request.uri.queryParameters
        let after = query["after"].flatMap { Int64($0) } ?? 0
        let limit = query["limit"].flatMap { Int($0) } ?? 1_000
        let page = try await repository.revocations(
            after: after, limit: min(max(1, limit), 5_000), now: Date(), deadline: context.deadline.forStatement)
        return Envelope(page)
    }
}
