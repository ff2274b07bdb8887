package import ConnectionKit
internal import Contracts
package import Foundation
internal import Postgres

/// Values of one kind, each read from the cache, or else loaded and left there.
///
/// ```swift
/// let accounts = CacheAside<UserSnapshot>(cache, kind: "account", lifetime: .seconds(60))
/// let user = try await accounts.value(of: id, in: tenantID, for: id, deadline: deadline) {
///     try await repository.account(id, tenantID: tenantID, deadline: deadline)?.user.snapshot
/// }
/// try await accounts.changing(id, in: tenantID) { try await repository.update(…) }
/// ```
/// The promise: who changed a value through this process reads it changed at once; through another replica within
/// ``localLifetime``; and where Redis was away during the change, within ``lifetime`` at the latest.
package final class CacheAside<Value: Codable & Sendable>: Sendable {
    private let cache: ServiceCache
    private let kind: String
    private let schema: Int
    private let lifetime: Duration
    private let negativeLifetime: Duration
    private let localLifetime: Duration
    private let flights = SingleFlight<Value?>()
    private let reads: CacheReads

    /// - Parameters:
    ///   - kind: part of the key, and the label of the metrics: `account`.
    ///   - schema: raised whenever `Value` changes, so that two versions of a service do not read each other's entries.
    ///   - lifetime: how long Redis keeps a value.
    ///   - negativeLifetime: how long it keeps that there is none.
    ///   - localLifetime: how long this process answers from its own memory; zero for never.
    package init(
        _ cache: ServiceCache, kind: String, schema: Int = 1, lifetime: Duration,
        negativeLifetime: Duration = .seconds(5), localLifetime: Duration = .milliseconds(500)
    ) {
        self.cache = cache
        self.kind = kind
        self.schema = schema
        self.lifetime = lifetime
        self.negativeLifetime = negativeLifetime
        self.localLifetime = localLifetime
        reads = CacheReads(cache.metrics, kind: kind, tally: cache.tally)
    }

    /// Says how a key is loaded ahead of those who will ask for it.
    package func preloading(_ load: @escaping @Sendable (_ tenantID: UUID, _ id: UUID) async throws -> Value?) {
        cache.register(kind) { [weak self] tenantID, id in
            guard let self, let key = key(id, tenantID) else { return }
            _ = try await refresh(key) { try await load(tenantID, id) }
        }
    }

    /// The value, or `nil` where there is none.
    ///
    /// - Parameters:
    ///   - user: who asks: while the service warms up, whoever is not let in gets what is cached and causes no load.
    ///   - load: asks the database.
    /// - Throws: what `load` throws; ``APIError`` 503002 for who is not let in.
    package func value(
        of id: UUID, in tenantID: UUID, for user: UUID, deadline: Deadline, load: () async throws -> Value?
    ) async throws -> Value? {
        cache.hotKeys.sample(HotKey(kind: kind, tenantID: tenantID, id: id))
        guard let key = key(id, tenantID) else {
            reads.count(.bypassed)
            guard cache.admits(user) else { throw cache.refusal() }
            return try await load()
        }
        if let held = cache.local.value(key) as? Held<Value> {
            reads.count(.local)
            return held.value
        }
        let isAdmitted = cache.admits(user)
        return try await flights.run(key + (isAdmitted ? "" : "-"), deadline: deadline) {
            try await read(key, isAdmitted: isAdmitted, load: load)
        }
    }

    /// Makes a change and forgets the value in the same act: from before it until after it nobody reads or stores one, also
    /// when this process dies in between.
    package func changing<Result>(
        _ id: UUID, in tenantID: UUID, _ change: () async throws -> Result
    ) async throws -> Result {
        guard let key = key(id, tenantID) else { return try await change() }
        cache.local.invalidate(key)
        if await !cache.remote.startChange(key) { cache.setPending(key) }
        let result: Result
        do {
            result = try await change()
        } catch {
            // What may yet be committed is not cached for a while: the mark of the change expires by itself.
            if (error as? PostgresError)?.isOutcomeUnknown != true { await forget(key) }
            cache.local.invalidate(key)
            throw error
        }
        await forget(key)
        return result
    }

    /// Forgets a value that something else has changed.
    package func forget(_ id: UUID, in tenantID: UUID) async {
        guard let key = key(id, tenantID) else { return }
        await forget(key)
    }

    private func forget(_ key: String) async {
        cache.local.invalidate(key)
        if await cache.remote.endChange(key) { cache.unsetPending(key) } else { cache.setPending(key) }
    }

    // MARK: - Reading

    private func read(_ key: String, isAdmitted: Bool, load: () async throws -> Value?) async throws -> Value? {
        guard !cache.isPending(key) else { return try await direct(.bypassed, isAdmitted, load) }
        let stamp = cache.local.stamp(key)
        switch await cache.remote.read(key) {
        case .away:
            let value = try await direct(.away, isAdmitted, load)
            keep(key, value, stamp)
            return value
        case .entry(let entry):
            guard entry.content != .changing else { return try await direct(.bypassed, isAdmitted, load) }
            guard let held = Self.decode(entry.content) else { break }
            reads.count(held.value == nil ? .negative : .hit)
            if isAdmitted, entry.isDue(at: Date(), random: Double.random(in: 0..<1)),
                let fresh = try? await refresh(key, load: load)
            {
                reads.count(.early)
                return fresh.value
            }
            keep(key, held.value, stamp)
            return held.value
        case .missing: break
        }
        reads.count(.miss)
        guard isAdmitted else { throw cache.refusal() }
        return try await refresh(key, load: load).value
    }

    private func direct(
        _ result: CacheReads.Result, _ isAdmitted: Bool, _ load: () async throws -> Value?
    ) async throws -> Value? {
        reads.count(result)
        guard isAdmitted else { throw cache.refusal() }
        return try await load()
    }

    /// Loads the value and stores it, if nobody changes it meanwhile.
    private func refresh(_ key: String, load: () async throws -> Value?) async throws -> Held<Value> {
        let stamp = cache.local.stamp(key)
        let lease = await cache.remote.lease(key)
        let start = ContinuousClock.now
        let value: Value?
        do {
            value = try await load()
        } catch {
            if let lease { await cache.remote.release(key, lease: lease) }
            throw error
        }
        guard let lease else { return Held(value: value) }
        let lifetime = value == nil ? negativeLifetime : lifetime
        let content = try value.map { CacheEntry.Content.value(Array(try StrictJSON.encode($0))) } ?? .absent
        let entry = CacheEntry(
            content, expiresAt: Date() + lifetime / .seconds(1), cost: ContinuousClock.now - start)
        if await cache.remote.fill(key, entry, lifetime: lifetime, lease: lease) { keep(key, value, stamp) }
        return Held(value: value)
    }

    private func keep(_ key: String, _ value: Value?, _ stamp: UInt64) {
        guard localLifetime > .zero else { return }
        cache.local.store(key, Held(value: value), stamp: stamp, until: .now + localLifetime)
    }

    private func key(_ id: UUID, _ tenantID: UUID) -> String? {
        cache.generation.map { "authms:\(cache.service):c:\($0):\(kind).\(schema):\(tenantID.text):\(id.text)" }
    }

    /// `nil` for what this version cannot read.
    private static func decode(_ content: CacheEntry.Content) -> Held<Value>? {
        switch content {
        case .absent: Held(value: nil)
        case .value(let bytes): (try? StrictJSON.decode(Value.self, from: bytes)).map { Held(value: $0) }
        case .changing: nil
        }
    }
}

/// A value, or that there is none.
private struct Held<Value: Sendable>: Sendable {
    let value: Value?
}
