import ConnectionKit
package import Contracts
import Foundation
package import MicroMiddleware

/// What identity does when it hears that a user is deleted, that a service has erased one, and that one wants their data.
/// Each event may come twice, and late.
package struct PersonalDataEvents: Sendable {
    let repository: any DeletionRepository
    /// The other services, by name.
    let services: [String: ServiceClient]

    package init(repository: any DeletionRepository, services: [String: ServiceClient]) {
        self.repository = repository
        self.services = services
    }

    package func handle(_ events: [CloudEvent]) async throws {
        for event in events { try await handle(event.event) }
    }

    package func handle(_ event: DomainEvent) async throws {
        guard let user = UUID(uuidString: event.subject) else { return }
        let deadline = Deadline.after(.seconds(10))
        switch event.type {
        case .userDeleted:
            try await repository.finishDeletion(
                of: user, tenantID: event.tenantID, eventID: event.id, deadline: deadline)
        case .exportRequested:
            try await collect(event, user: user)
        default:
            guard event.type.rawValue.hasSuffix(".user.erased"), event.type != .userErased else { return }
            let completion = try DomainEvent(
                type: .userErased, subject: user.text, tenantID: event.tenantID,
                data: EventDetail(actorType: "service", status: .success))
            try await repository.recordErasure(
                of: user, tenantID: event.tenantID, by: event.type.module, completion: completion, deadline: deadline)
        }
    }

    /// Asks every service. One that is away fails the event, which comes back later.
    private func collect(_ event: DomainEvent, user: UUID) async throws {
        let deadline = Deadline.after(.seconds(20))
        var parts = [
            "identity": try await repository.personalData(of: user, tenantID: event.tenantID, deadline: deadline)
        ]
        let hosts = try await repository.hosts(of: user, deadline: deadline).map(\.text).joined(separator: ",")
        let path =
            "/api/v1/internal/users/\(user.text)/export?tenant_id=\(event.tenantID.text)&host_tenant_ids=\(hosts)"
        for (name, client) in services {
            parts[name] = try await client.get(
                path, as: ExportedParts.self, scope: RequestScope(deadline: deadline)
            ).parts
        }
        let ready = try DomainEvent(
            type: .exportReady, subject: user.text, tenantID: event.tenantID,
            data: EventDetail(actorType: "service", status: .success, details: ["export": event.id.text]))
        try await repository.storeExport(
            event.id, bundle: Self.bundle(user, event.tenantID, parts), event: ready, deadline: deadline)
    }

    /// The parts are JSON already, and stay as they are.
    static func bundle(_ user: UUID, _ tenant: UUID, _ services: [String: [String: String]]) -> [UInt8] {
        func object(_ members: [(String, [UInt8])]) -> [UInt8] {
            var bytes: [UInt8] = Array("{".utf8)
            for (index, member) in members.enumerated() {
                if index > 0 { bytes += Array(",".utf8) }
                JSONString.append(member.0, to: &bytes)
                bytes += Array(":".utf8) + member.1
            }
            return bytes + Array("}".utf8)
        }
        func text(_ value: String) -> [UInt8] {
            var bytes: [UInt8] = []
            JSONString.append(value, to: &bytes)
            return bytes
        }
        let parts = services.sorted { $0.key < $1.key }.map { name, parts in
            (name, object(parts.sorted { $0.key < $1.key }.map { ($0.key, Array($0.value.utf8)) }))
        }
        return object([
            ("user_id", text(user.text)), ("tenant_id", text(tenant.text)),
            ("exported_at", text(EventTime(Date()).text)), ("services", object(parts)),
        ])
    }
}
