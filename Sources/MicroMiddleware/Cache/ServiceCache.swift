package import Foundation
internal import Synchronization
package import Redis

/// A service's cache: Redis behind a small tier in this process. ``CacheAside`` is what reads and changes go through.
///
/// What it holds is never the truth and never decides what somebody may do: tokens and revocations do not come through here.
/// While Redis is away every read goes to the database, once for all that ask at the same time.
package final class ServiceCache: Sendable {
    /// Keys whose change Redis has not heard of; more than so many, and all that it holds is given up.
    private static let maximumPending = 10_000

    private struct State {
        var generation: String?
        var pending: Set<String> = []
        var hasOverflown = false
        var loaders: [String: Loader] = [:]
        var gate: @Sendable (UUID) -> Bool = { _ in true }
        var onRefusal: @Sendable () -> Void = {}
    }

    /// Loads one key into the cache, whoever is admitted.
    typealias Loader = @Sendable (_ tenantID: UUID, _ id: UUID) async throws -> Void

    let service: String
    let remote: RemoteCache
    let local: LocalTier
    package let hotKeys = HotKeys()
    let metrics: MetricsRegistry
    let tally = CacheTally()
    private let state = Mutex(State())

    /// - Parameter localCapacity: how many values this process keeps at most.
    package init(service: String, redis: RedisClient, localCapacity: Int = 4_096, metrics: MetricsRegistry) {
        self.service = service
        remote = RemoteCache(redis)
        local = LocalTier(capacity: localCapacity)
        self.metrics = metrics
    }

    /// Part of every key: whoever changes it forgets everything at once. `nil` until it is known; then nothing is cached.
    package var generation: String? {
        get { state.withLock { $0.generation } }
        set {
            let changed = state.withLock { state in
                defer { state.generation = newValue }
                return state.generation != newValue
            }
            if changed { local.removeAll() }
        }
    }

    /// Whether a user may cause a load of the database now. Everybody may where nobody says otherwise.
    package func setGate(
        _ gate: @escaping @Sendable (UUID) -> Bool, onRefusal: @escaping @Sendable () -> Void = {}
    ) {
        state.withLock { state in
            state.gate = gate
            state.onRefusal = onRefusal
        }
    }

    /// What a user gets whose read would have caused a load; counted.
    func refusal() -> APIError {
        state.withLock { $0.onRefusal }()
        return WarmupAdmission.refusal()
    }

    func admits(_ user: UUID) -> Bool {
        state.withLock { $0.gate }(user)
    }

    func register(_ kind: String, _ loader: @escaping Loader) {
        state.withLock { $0.loaders[kind] = loader }
    }

    /// Loads a hot key ahead of those who will ask for it. Of a kind that there is no more: nothing.
    package func preload(_ key: HotKey) async throws {
        try await state.withLock { $0.loaders[key.kind] }?(key.tenantID, key.id)
    }

    // MARK: - Changes that Redis has not heard of

    func isPending(_ key: String) -> Bool {
        state.withLock { $0.pending.contains(key) }
    }

    func setPending(_ key: String) {
        state.withLock { state in
            guard state.pending.count < Self.maximumPending else {
                state.hasOverflown = true
                return
            }
            state.pending.insert(key)
        }
    }

    func unsetPending(_ key: String) {
        state.withLock { _ = $0.pending.remove(key) }
    }

    /// Tells Redis what it has missed, now that it is back.
    ///
    /// - Returns: whether that is more than was kept in mind: then a new ``generation`` is due.
    package func settle() async -> Bool {
        let (pending, hasOverflown) = state.withLock { state in
            defer { state.hasOverflown = false }
            return (state.pending, state.hasOverflown)
        }
        for key in pending {
            guard await remote.endChange(key) else { break }
            unsetPending(key)
        }
        return hasOverflown
    }
}

/// How many reads the cache has answered, and how many it has not.
final class CacheTally: Sendable {
    let hits = Atomic<Int>(0)
    let misses = Atomic<Int>(0)
}
