package import ConnectionKit
package import Contracts
import Foundation
package import Logging
import MicroMiddleware

/// What happens to sessions when something happens to a user. Each event may come twice, and late: what takes access away
/// comes from identity itself first, and by the broker once more, however much later that is.
package struct IdentityEvents: Sendable {
    let opening: Opening
    let signOut: SignOut
    let deviceTrust: DeviceTrust
    let repository: any SessionRepository
    let logger: Logger

    package init(
        opening: Opening, signOut: SignOut, deviceTrust: DeviceTrust, repository: any SessionRepository, logger: Logger
    ) {
        self.opening = opening
        self.signOut = signOut
        self.deviceTrust = deviceTrust
        self.repository = repository
        self.logger = logger
    }

    /// Applies events in their order.
    package func apply(_ events: [CloudEvent]) async throws {
        for event in events { try await apply(event.event) }
    }

    /// So many of what identity tells itself are applied at once: the database's other connections are for users.
    private static let atOnce = 4

    /// Applies what identity tells itself, in no order: an event is about somebody else than the one before, or says when it
    /// happened. One that fails keeps no other from being applied.
    /// - Throws: what one of them failed of.
    package func apply(_ events: [DomainEvent], deadline: Deadline) async throws {
        let failure = await withTaskGroup(of: (any Error)?.self) { group in
            var failure: (any Error)?
            for (index, event) in events.enumerated() {
                if index >= Self.atOnce, let failed = await group.next() { failure = failed ?? failure }
                group.addTask {
                    do {
                        try await apply(event, deadline: deadline)
                        return nil
                    } catch {
                        return error
                    }
                }
            }
            for await failed in group { failure = failed ?? failure }
            return failure
        }
        if let failure { throw failure }
    }

    package func apply(_ event: DomainEvent, deadline: Deadline = .after(.seconds(5))) async throws {
        if event.type == .sessionPending {
            let pending = try decode(PendingSession.self, event)
            return try await opening.adopt(pending, tenantID: event.tenantID, deadline: deadline)
        }
        guard let user = UUID(uuidString: event.subject) else { return }
        let detail = try decode(EventDetail.self, event)
        let actor = SessionActor(
            userID: detail.actorID, ip: detail.ip, userAgent: detail.userAgent, requestID: detail.requestID)
        let cause = signOut.cause(event)
        switch event.type {
        case .passwordChanged, .passwordReset:
            for tenant in try await tenants(of: user, and: event.tenantID, deadline: deadline) {
                let notice = PasswordChangedNotice(
                    tenantID: tenant, changedAt: event.time.date, keptSessionID: detail.sessionID)
                try await signOut.passwordChanged(of: user, notice, because: cause, actor: actor, deadline: deadline)
                try await deviceTrust.forgetEverything(
                    of: user, tenantID: tenant, because: cause, actor: actor, deadline: deadline)
            }
        case .userDisabled, .userDeleted:
            for tenant in try await tenants(of: user, and: event.tenantID, deadline: deadline) {
                try await signOut.endEverything(
                    of: user, tenantID: tenant, reason: event.type == .userDisabled ? .userDisabled : .userDeleted,
                    because: cause, actor: actor, deadline: deadline)
                try await deviceTrust.forgetEverything(
                    of: user, tenantID: tenant, because: cause, actor: actor, deadline: deadline)
            }
        case .membershipRemoved:
            try await signOut.endEverything(
                of: user, tenantID: event.tenantID, reason: .membershipRemoved, because: cause, actor: actor,
                deadline: deadline)
            try await deviceTrust.forgetEverything(
                of: user, tenantID: event.tenantID, because: cause, actor: actor, deadline: deadline)
        case .sessionWithdrawn:
            guard let session = detail.sessionID else { return }
            try await signOut.withdraw(session, of: user, tenantID: event.tenantID, actor: actor, deadline: deadline)
        case .refreshDegraded:
            try await takeBack(detail, at: event.time.date, actor: actor, deadline: deadline)
        case .userUpdated:
            // An identity service of before has them among the details.
            let names = detail.personal ?? detail.details
            let fields = detail.details?["fields"]?.split(separator: ",") ?? []
            let change = SnapshotChange(
                name: names?["name"], clearsName: fields.contains("name") && names?["name"] == nil,
                username: names?["username"])
            for tenant in try await tenants(of: user, and: event.tenantID, deadline: deadline) {
                try await repository.updateSnapshots(of: user, tenantID: tenant, change: change, deadline: deadline)
            }
        case .tenantSuspended:
            try await signOut.endTenant(event.tenantID, because: cause, actor: actor, deadline: deadline)
        case .rolesChanged:
            try await rolesChanged(
                of: user, detail, because: cause, tenantID: event.tenantID, actor: actor, deadline: deadline)
        default:
            break
        }
    }

    /// This service gave no answer, and identity gave one, or tried to. The token that it gave back tells that itself; this is
    /// for whoever did not get that either, and comes with the token of before. If this service had exchanged it before it fell
    /// silent, that is taken back; else the owner's next refresh would pass for theft.
    private func takeBack(_ detail: EventDetail, at time: Date, actor: SessionActor, deadline: Deadline) async throws {
        guard let session = detail.sessionID, let generation = detail.details?["generation"].flatMap({ Int64($0) })
        else { return }
        let edition = detail.details?["edition"].flatMap { Int64($0) }
        let refresh = UnansweredRefresh(
            sessionID: session, generation: generation, edition: edition ?? .max, askedAt: time)
        try await repository.takeBack(refresh, actor: actor, deadline: deadline)
    }

    /// A user is one and the same in every tenant that they work in: what happens to the account happens there, too.
    private func tenants(of user: UUID, and tenant: UUID, deadline: Deadline) async throws -> [UUID] {
        let others = try await repository.tenants(ofUser: user, deadline: deadline)
        return [tenant] + others.filter { $0 != tenant }
    }

    private func rolesChanged(
        of user: UUID, _ detail: EventDetail, because cause: SessionCause, tenantID: UUID, actor: SessionActor,
        deadline: Deadline
    ) async throws {
        func list(_ name: String) -> [String]? {
            detail.details?[name]?.split(separator: ",").map(String.init)
        }
        try await signOut.rolesChanged(
            of: user, tenantID: tenantID,
            RolesChange(
                roles: list("roles"), permissions: list("permissions"), changedAt: cause.time, cause: cause),
            isReduction: detail.details?["reduced"] == "true", actor: actor, deadline: deadline)
    }

    private func decode<Detail: Decodable>(_ type: Detail.Type, _ event: DomainEvent) throws -> Detail {
        try StrictJSON.decode(type, from: Array(event.data.utf8))
    }
}
