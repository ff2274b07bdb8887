package import ConnectionKit
package import Foundation
package import Redis

/// What the replicas of a service tell each other of the cache and the ramp, through Redis.
package struct WarmupExchange: Sendable {
    /// What one replica saw last.
    package struct ReplicaLoad: Sendable, Hashable {
        package var p95: Duration?
        /// Cache hits a second.
        package var hits: Double
        package var misses: Double

        package init(p95: Duration?, hits: Double, misses: Double) {
            self.p95 = p95
            self.hits = hits
            self.misses = misses
        }
    }

    /// A replica that has said nothing for so long is gone.
    private static let replicaLife: TimeInterval = 10

    private let redis: RedisClient
    private let prefix: String
    private let replica: String

    package init(_ redis: RedisClient, service: String, replica: String = TraceContext.randomHex()) {
        self.redis = redis
        self.replica = replica
        prefix = "authms:\(service):warmup:"
    }

    // MARK: - The cache's generation

    /// `nil` when there is none: it was lost, or never made.
    package func generation(deadline: Deadline) async throws(RedisError) -> String? {
        try await redis.get(prefix + "generation", deadline: deadline).map { String(decoding: $0, as: UTF8.self) }
    }

    /// Puts a generation in the place of `old`, unless somebody was quicker.
    ///
    /// - Returns: the one that holds now.
    package func renewGeneration(
        from old: String?, to new: String, deadline: Deadline
    ) async throws(RedisError) -> String {
        let answer = try await redis.eval(
            """
            local present = redis.call('GET', KEYS[1])
            if (present or '') == ARGV[1] then redis.call('SET', KEYS[1], ARGV[2]) return ARGV[2] end
            return present
            """, keys: [prefix + "generation"], arguments: [RedisArgument(old ?? ""), RedisArgument(new)],
            deadline: deadline)
        return answer.string ?? new
    }

    // MARK: - The ramp

    /// Leaves our state if it is newer than what is there.
    ///
    /// - Returns: the newer of the two.
    package func share(_ state: WarmupState, deadline: Deadline) async throws -> WarmupState {
        let text = String(decoding: try StrictJSON.encode(state), as: UTF8.self)
        let answer = try await redis.eval(
            """
            local present = redis.call('HMGET', KEYS[1], 'revision', 'state')
            if present[1] and tonumber(present[1]) >= tonumber(ARGV[1]) then return present[2] end
            redis.call('HSET', KEYS[1], 'revision', ARGV[1], 'state', ARGV[2])
            return ARGV[2]
            """, keys: [prefix + "state"], arguments: [RedisArgument(state.revision), RedisArgument(text)],
            deadline: deadline)
        guard let winner = answer.bytes else { return state }
        return try StrictJSON.decode(WarmupState.self, from: winner)
    }

    // MARK: - The database's mark

    package func mark(deadline: Deadline) async throws -> DatabaseMark? {
        guard let bytes = try await redis.get(prefix + "mark", deadline: deadline) else { return nil }
        return try? StrictJSON.decode(DatabaseMark.self, from: bytes)
    }

    package func remember(_ mark: DatabaseMark, deadline: Deadline) async throws {
        try await redis.set(prefix + "mark", RedisArgument(Array(try StrictJSON.encode(mark))), deadline: deadline)
    }

    // MARK: - Replicas

    /// Tells what this replica sees.
    ///
    /// - Returns: what all see together: the slowest p95, and the sums of hits and misses.
    package func report(
        _ load: ReplicaLoad, at now: Date, deadline: Deadline
    ) async throws(RedisError) -> ReplicaLoad {
        let key = prefix + "replicas"
        let p95 = load.p95.map { Int($0 / .microseconds(1)) } ?? -1
        let line = "\(Int(now.timeIntervalSince1970 * 1_000)) \(p95) \(load.hits) \(load.misses)"
        _ = try await redis.send(
            ["HSET", RedisArgument(key), RedisArgument(replica), RedisArgument(line)], deadline: deadline)
        let all = try await redis.send(["HGETALL", RedisArgument(key)], deadline: deadline).array ?? []
        var sum = ReplicaLoad(p95: nil, hits: 0, misses: 0)
        for index in stride(from: 0, to: all.count - 1, by: 2) {
            let words = (all[index + 1].string ?? "").split(separator: " ")
            guard words.count == 4, let at = Double(words[0]), let p95 = Int64(words[1]), let hits = Double(words[2]),
                let misses = Double(words[3]), now.timeIntervalSince1970 - at / 1_000 < Self.replicaLife
            else {
                _ = try await redis.send(
                    ["HDEL", RedisArgument(key), RedisArgument(all[index].bytes ?? [])], deadline: deadline)
                continue
            }
            if p95 >= 0 { sum.p95 = max(sum.p95 ?? .zero, .microseconds(p95)) }
            sum.hits += hits
            sum.misses += misses
        }
        return sum
    }

    /// How long a replica that preloads may say nothing before another one takes over.
    private static let preloaderLife = Duration.seconds(10)

    /// Whether this replica is the one that preloads, from now on for ten seconds.
    package func takePreloading(deadline: Deadline) async throws(RedisError) -> Bool {
        let answer = try await redis.eval(
            """
            local present = redis.call('GET', KEYS[1])
            if present and present ~= ARGV[1] then return 0 end
            redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
            return 1
            """, keys: [prefix + "preloader"],
            arguments: [RedisArgument(replica), RedisArgument(Int(Self.preloaderLife / .milliseconds(1)))],
            deadline: deadline)
        return answer.integer == 1
    }
}
