internal import ConnectionKit
internal import Foundation
internal import Redis
internal import Synchronization

/// The cache's part in Redis. It never throws and never waits long: a Redis that is away is an answer too.
///
/// Filling follows "Scaling Memcache at Facebook" (Nishtala et al., NSDI 2013, section 3.2.1): whoever misses takes a lease,
/// and only the holder of the lease fills, so that a value which was read before a change cannot be stored after it.
final class RemoteCache: Sendable {
    /// How long one command may take; a service that must ask its database instead has none to lose.
    private static let timeout = Duration.milliseconds(50)
    /// How long a load may take before somebody else may fill.
    private static let leaseLife = Duration.seconds(3)
    /// How long a change keeps readers away whose process died in it; longer than any change may take.
    private static let changeLife = Duration.seconds(5)
    /// Larger entries are not kept.
    private static let maximumBytes = 64 * 1_024

    enum Reading: Sendable {
        case entry(CacheEntry)
        case missing
        case away
    }

    private let redis: RedisClient
    private let breaker = Mutex(CircuitBreaker())

    init(_ redis: RedisClient) {
        self.redis = redis
    }

    func read(_ key: String) async -> Reading {
        guard
            let found = await attempt({ (deadline) throws(RedisError) in
                try await self.redis.get(key, deadline: deadline)
            })
        else { return .away }
        return found.flatMap(CacheEntry.init(bytes:)).map { .entry($0) } ?? .missing
    }

    /// A lease to fill the key with; `nil` when somebody else has it, or Redis is away.
    func lease(_ key: String) async -> String? {
        let token = TraceContext.randomHex()
        let isOurs = await attempt { (deadline) throws(RedisError) in
            try await self.redis.set(
                Self.leaseKey(key), RedisArgument(token), expiry: Self.leaseLife, onlyIfAbsent: true, deadline: deadline
            )
        }
        return isOurs == true ? token : nil
    }

    /// Stores the entry if the lease still stands, and ends it.
    ///
    /// - Returns: whether it was stored.
    func fill(_ key: String, _ entry: CacheEntry, lifetime: Duration, lease: String) async -> Bool {
        let bytes = entry.bytes
        guard bytes.count <= Self.maximumBytes else {
            await release(key, lease: lease)
            return false
        }
        let milliseconds = max(1, Int(lifetime / .milliseconds(1)))
        let stored = await attempt { (deadline) throws(RedisError) in
            try await self.redis.eval(
                """
                if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
                redis.call('DEL', KEYS[2])
                redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
                return 1
                """, keys: [key, Self.leaseKey(key)],
                arguments: [RedisArgument(lease), RedisArgument(bytes), RedisArgument(milliseconds)],
                deadline: deadline)
        }
        return stored?.integer == 1
    }

    /// Ends a lease without filling.
    func release(_ key: String, lease: String) async {
        _ = await attempt { (deadline) throws(RedisError) in
            try await self.redis.eval(
                "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0",
                keys: [Self.leaseKey(key)], arguments: [RedisArgument(lease)], deadline: deadline)
        }
    }

    /// From now on nobody reads or fills the key, until ``endChange(_:)`` or for five seconds.
    ///
    /// - Returns: whether Redis has taken it in.
    func startChange(_ key: String) async -> Bool {
        let changing = CacheEntry(.changing, expiresAt: Date() + Self.changeLife / .seconds(1))
        let done = await attempt { (deadline) throws(RedisError) in
            try await self.redis.eval(
                "redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) return redis.call('DEL', KEYS[2])",
                keys: [key, Self.leaseKey(key)],
                arguments: [RedisArgument(changing.bytes), RedisArgument(Int(Self.changeLife / .milliseconds(1)))],
                deadline: deadline)
        }
        return done != nil
    }

    /// The change is over: the next reader loads what it made.
    ///
    /// - Returns: whether Redis has taken it in.
    func endChange(_ key: String) async -> Bool {
        await attempt { (deadline) throws(RedisError) in
            try await self.redis.del(key, Self.leaseKey(key), deadline: deadline)
        } != nil
    }

    private static func leaseKey(_ key: String) -> String { key + ":lease" }

    private func attempt<Value: Sendable>(
        _ command: (Deadline) async throws(RedisError) -> Value
    ) async -> Value? {
        guard breaker.withLock({ $0.admit(at: .now) }) else { return nil }
        do throws(RedisError) {
            let value = try await command(.after(Self.timeout))
            breaker.withLock { $0.recordSuccess() }
            return value
        } catch {
            breaker.withLock { breaker in
                switch error.kind {
                case .cancelled: breaker.recordNothing(at: .now)
                case _ where error.isUnavailable: breaker.recordFailure(at: .now)
                default: breaker.recordSuccess()
                }
            }
            return nil
        }
    }
}
