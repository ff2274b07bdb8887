package import ConnectionKit

/// A bound of a range of scores.
package enum RedisScore: Sendable {
    case inclusive(Double)
    case exclusive(Double)
    case unbounded
}

// The commands that the suite uses, typed.
extension RedisClient {
    /// `PING`.
    package func ping(deadline: Deadline) async throws(RedisError) {
        _ = try await send(["PING"], deadline: deadline)
    }

    /// `GET`: the value, or `nil` when there is none.
    package func get(_ key: String, deadline: Deadline) async throws(RedisError) -> [UInt8]? {
        try await send(["GET", RedisArgument(key)], deadline: deadline).bytes
    }

    /// `SET`, with an expiry in milliseconds where given.
    ///
    /// - Returns: `false` when `onlyIfAbsent` and the key had a value.
    @discardableResult
    package func set(
        _ key: String, _ value: RedisArgument, expiry: Duration? = nil, onlyIfAbsent: Bool = false, deadline: Deadline
    ) async throws(RedisError) -> Bool {
        var command: [RedisArgument] = ["SET", RedisArgument(key), value]
        if let expiry { command += ["PX", RedisArgument(expiry.wholeMilliseconds)] }
        if onlyIfAbsent { command.append("NX") }
        return try await !send(command, deadline: deadline).isNull
    }

    /// `DEL`: how many of the keys there were.
    @discardableResult
    package func del(_ keys: String..., deadline: Deadline) async throws(RedisError) -> Int {
        try await integer(["DEL"] + keys.map { RedisArgument($0) }, deadline: deadline)
    }

    /// `INCRBY`: the value afterwards.
    @discardableResult
    package func incr(_ key: String, by increment: Int = 1, deadline: Deadline) async throws(RedisError) -> Int {
        try await integer(["INCRBY", RedisArgument(key), RedisArgument(increment)], deadline: deadline)
    }

    /// `PEXPIRE`: whether the key exists.
    @discardableResult
    package func expire(_ key: String, after: Duration, deadline: Deadline) async throws(RedisError) -> Bool {
        try await integer(
            ["PEXPIRE", RedisArgument(key), RedisArgument(after.wholeMilliseconds)], deadline: deadline) == 1
    }

    /// `ZADD` of one member: 1 when it is new.
    @discardableResult
    package func zadd(
        _ key: String, score: Double, member: RedisArgument, deadline: Deadline
    ) async throws(RedisError) -> Int {
        try await integer(["ZADD", RedisArgument(key), RedisArgument(score), member], deadline: deadline)
    }

    /// `ZRANGEBYSCORE`, at most `limit` members, by rising score.
    package func zrangeByScore(
        _ key: String, from lower: RedisScore = .unbounded, to upper: RedisScore = .unbounded, limit: Int,
        deadline: Deadline
    ) async throws(RedisError) -> [(member: [UInt8], score: Double)] {
        let reply = try await send(
            [
                "ZRANGEBYSCORE", RedisArgument(key), lower.argument(unbounded: "-inf"),
                upper.argument(unbounded: "+inf"), "WITHSCORES", "LIMIT", 0, RedisArgument(limit),
            ], deadline: deadline)
        guard let flat = reply.array, flat.count.isMultiple(of: 2) else { throw .unexpected("ZRANGEBYSCORE") }
        var members: [(member: [UInt8], score: Double)] = []
        for index in stride(from: 0, to: flat.count, by: 2) {
            guard let member = flat[index].bytes, let score = flat[index + 1].string.flatMap({ Double($0) }) else {
                throw .unexpected("ZRANGEBYSCORE")
            }
            members.append((member, score))
        }
        return members
    }

    /// `ZREMRANGEBYSCORE`: how many members went.
    @discardableResult
    package func zremRangeByScore(
        _ key: String, from lower: RedisScore = .unbounded, to upper: RedisScore, deadline: Deadline
    ) async throws(RedisError) -> Int {
        try await integer(
            [
                "ZREMRANGEBYSCORE", RedisArgument(key), lower.argument(unbounded: "-inf"),
                upper.argument(unbounded: "+inf"),
            ], deadline: deadline)
    }

    /// `EVAL` of a Lua script.
    package func eval(
        _ script: StaticString, keys: [String] = [], arguments: [RedisArgument] = [], deadline: Deadline
    ) async throws(RedisError) -> RedisValue {
        var command: [RedisArgument] = ["EVAL", RedisArgument("\(script)"), RedisArgument(keys.count)]
        command += keys.map { RedisArgument($0) }
        return try await send(command + arguments, deadline: deadline)
    }

    /// `PUBLISH`: how many subscribers heard it.
    @discardableResult
    package func publish(
        _ message: RedisArgument, to channel: String, deadline: Deadline
    ) async throws(RedisError) -> Int {
        try await integer(["PUBLISH", RedisArgument(channel), message], deadline: deadline)
    }

    private func integer(_ command: [RedisArgument], deadline: Deadline) async throws(RedisError) -> Int {
        guard case .integer(let value) = try await send(command, deadline: deadline) else {
            throw .unexpected(String(decoding: command[0].bytes, as: UTF8.self))
        }
        return value
    }
}

extension RedisError {
    fileprivate static func unexpected(_ command: String) -> RedisError {
        RedisError(.unexpectedReply, "Redis answered \(command) with a value of an unexpected shape")
    }
}

extension RedisScore {
    fileprivate func argument(unbounded: RedisArgument) -> RedisArgument {
        switch self {
        case .inclusive(let score): RedisArgument(score)
        case .exclusive(let score): RedisArgument("(\(score)")
        case .unbounded: unbounded
        }
    }
}

extension Duration {
    /// Rounded up, and at least 1, since Redis refuses an expiry of 0.
    fileprivate var wholeMilliseconds: Int64 {
        max(1, components.seconds * 1_000 + (components.attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
    }
}
