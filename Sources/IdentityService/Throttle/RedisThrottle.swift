import ConnectionKit
import Foundation
import Redis

/// The counters that all processes share, in Redis: one script call each, atomic, on Redis's own clock.
struct RedisThrottle: Sendable {
    let redis: RedisClient
    let limits: ThrottleLimits

    /// Whether the attempt may be made; if so its places on the ladders are taken, so that of many at once one gets in.
    func admit(_ subject: ThrottleSubject, deadline: Deadline) async throws -> ThrottleVerdict {
        let answer = try await redis.eval(
            Self.admission, keys: keys(of: subject), arguments: arguments(for: subject), deadline: deadline)
        guard let parts = answer.array?.compactMap(\.integer), parts.count == 3 else { throw Unexpected() }
        return ThrottleVerdict(
            wait: .milliseconds(parts[0]), hasFailures: parts[1] > 0, isBraked: parts[2] == 1)
    }

    /// - Returns: how many failures in a row the identity, or the device, has now.
    func fail(_ subject: ThrottleSubject, count: Int, deadline: Deadline) async throws -> Int {
        let answer = try await redis.eval(
            Self.failure, keys: keys(of: subject),
            arguments: arguments(for: subject) + [RedisArgument(count)], deadline: deadline)
        guard let failures = answer.integer else { throw Unexpected() }
        return failures
    }

    func forget(_ keys: [String], deadline: Deadline) async throws {
        for key in keys { try await redis.del(key, deadline: deadline) }
    }

    /// Whether the id had not been used before.
    func claim(_ id: String, for lifetime: Duration, deadline: Deadline) async throws -> Bool {
        try await redis.set("bf:p:\(id)", "1", expiry: lifetime, onlyIfAbsent: true, deadline: deadline)
    }

    struct Unexpected: Error {}

    private func keys(of subject: ThrottleSubject) -> [String] {
        [subject.accountKey, subject.tenantKey, subject.brakeKey] + (subject.addressKey.map { [$0] } ?? [])
    }

    private func arguments(for subject: ThrottleSubject) -> [RedisArgument] {
        let braked = limits.asksForProof || subject.device != nil ? limits.account.free : min(limits.account.free, 1)
        func ladder(_ ladder: Ladder) -> [Int64] {
            [
                Int64(ladder.free), ladder.base.milliseconds, ladder.longest.milliseconds, ladder.memory.milliseconds,
            ]
        }
        let numbers =
            ladder(limits.account) + ladder(limits.address)
            + [Int64(limits.tenantFailuresPerMinute), limits.brakeDuration.milliseconds, Int64(braked)]
        return numbers.map { RedisArgument($0) }
    }

    // KEYS: account, the tenant's minute, the tenant's brake, and the address where it counts.
    // ARGV: free, base, longest, memory of the account; the same of the address; the tenant's limit, the brake's duration,
    // free failures of an account under the brake. Times in milliseconds.

    private static let admission: StaticString = """
        local time = redis.call('TIME')
        local now = time[1] * 1000 + math.floor(time[2] / 1000)
        local braked = redis.call('EXISTS', KEYS[3])
        local wait = 0
        local function entry(key)
          local found = redis.call('HMGET', key, 'n', 'next')
          return tonumber(found[1] or '0'), tonumber(found[2] or '0')
        end
        local n, next = entry(KEYS[1])
        wait = math.max(0, next - now)
        local m = 0
        if KEYS[4] then
          local later
          m, later = entry(KEYS[4])
          wait = math.max(wait, later - now)
        end
        if wait == 0 then
          local function take(key, failures, free, base, longest)
            if failures >= free and failures > 0 then
              local delay = math.min(longest, base * 2 ^ math.min(failures - free, 30))
              redis.call('HSET', key, 'next', string.format('%d', now + delay))
            end
          end
          take(KEYS[1], n, tonumber(braked == 1 and ARGV[11] or ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]))
          if KEYS[4] then take(KEYS[4], m, tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])) end
        end
        return {wait, n, braked}
        """

    private static let failure: StaticString = """
        local time = redis.call('TIME')
        local now = time[1] * 1000 + math.floor(time[2] / 1000)
        local count = tonumber(ARGV[12])
        local minute = KEYS[2] .. ':' .. math.floor(now / 60000)
        local failures = redis.call('INCRBY', minute, count)
        redis.call('PEXPIRE', minute, 120000)
        if failures >= tonumber(ARGV[9]) then redis.call('SET', KEYS[3], '1', 'PX', ARGV[10]) end
        local braked = redis.call('EXISTS', KEYS[3])
        local function fail(key, free, base, longest, memory)
          local n = redis.call('HINCRBY', key, 'n', count)
          local delay = 0
          if n > free then delay = math.min(longest, base * 2 ^ math.min(n - free - 1, 30)) end
          redis.call('HSET', key, 'next', string.format('%d', now + delay))
          redis.call('PEXPIRE', key, memory)
          return n
        end
        local free = tonumber(braked == 1 and ARGV[11] or ARGV[1])
        local n = fail(KEYS[1], free, tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4])
        if KEYS[4] then fail(KEYS[4], tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7]), ARGV[8]) end
        return n
        """
}
