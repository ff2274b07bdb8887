package import ConnectionKit
package import Foundation
import Synchronization

/// What the tenants' own roles grant, in memory: for answering `check-permission` without the database.
///
/// An entry is used for ``freshFor``; then one caller reads it anew while the others go on with it, but not for longer than
/// ``usableFor``. A change that this process makes is seen at once, one that another makes within ``usableFor``. With the
/// database away nothing is answered from what is older than that.
package final class RoleCache: Sendable {
    package typealias Load = @Sendable (UUID, Deadline) async throws -> [CustomRole]

    private struct Entry {
        var permissions: [String: Set<String>]
        var readAt: ContinuousClock.Instant
        var isBeingRead = false
    }

    private struct State {
        var entries: [UUID: Entry] = [:]
        /// Rises with each change, so that a read that began before it is not kept.
        var version: UInt64 = 0
    }

    private let load: Load
    private let freshFor: Duration
    private let usableFor: Duration
    private let capacity: Int
    private let state = Mutex(State())

    package init(
        freshFor: Duration = .seconds(1), usableFor: Duration = .seconds(3), capacity: Int = 10_000,
        load: @escaping Load
    ) {
        self.load = load
        self.freshFor = freshFor
        self.usableFor = usableFor
        self.capacity = capacity
    }

    /// What roles of a tenant grant together, as ``PermissionText`` has it; what is no role of the tenant's own grants
    /// nothing here.
    package func permissions(of roles: [String], tenantID: UUID, deadline: Deadline) async throws -> Set<String> {
        let known = try await definitions(tenantID, deadline: deadline)
        return roles.reduce(into: []) { granted, name in
            if let permissions = known[name] { granted.formUnion(permissions) }
        }
    }

    /// A role of the tenant has changed.
    package func forget(_ tenantID: UUID) {
        state.withLock { state in
            state.version += 1
            state.entries[tenantID] = nil
        }
    }

    private func definitions(_ tenantID: UUID, deadline: Deadline) async throws -> [String: Set<String>] {
        let now = ContinuousClock.now
        let present: [String: Set<String>]? = state.withLock { state in
            guard let entry = state.entries[tenantID] else { return nil }
            let age = entry.readAt.duration(to: now)
            guard age < usableFor else { return nil }
            guard age >= freshFor, !entry.isBeingRead else { return entry.permissions }
            state.entries[tenantID]?.isBeingRead = true
            return nil
        }
        if let present { return present }
        let version = state.withLock { $0.version }
        do {
            let read = try await load(tenantID, deadline)
            let permissions = Dictionary(uniqueKeysWithValues: read.map { ($0.name, Set($0.permissions)) })
            state.withLock { state in
                guard state.version == version else { return }
                if state.entries.count >= capacity { state.entries.removeAll() }
                state.entries[tenantID] = Entry(permissions: permissions, readAt: now)
            }
            return permissions
        } catch {
            let usable: Entry? = state.withLock { state in
                state.entries[tenantID]?.isBeingRead = false
                return state.entries[tenantID]
            }
            guard let usable, usable.readAt.duration(to: .now) < usableFor else { throw error }
            return usable.permissions
        }
    }
}
