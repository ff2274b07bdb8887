import ConnectionKit
import Logging
import Redis
import TestSupport
import Testing

/// A client for one test; its log goes nowhere.
func makeClient(_ server: TestRedis, _ change: (inout RedisConfiguration) -> Void = { _ in }) throws -> RedisClient {
    var configuration = try RedisConfiguration(url: server.url)
    change(&configuration)
    return RedisClient(configuration: configuration, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
}

/// Waits until the client answers `PING` again.
func waitUntilAvailable(_ client: RedisClient, deadline: Deadline = .after(.seconds(10))) async throws {
    while true {
        do throws(RedisError) {
            return try await client.ping(deadline: deadline)
        } catch {
            guard error.isUnavailable, !deadline.hasPassed else { throw error }
        }
        try await Task.sleep(for: .milliseconds(5))
    }
}

/// Waits until the server holds back its answer to as many commands, such as `BLPOP`.
func waitUntilBlocked(_ count: Int, on server: TestRedis, deadline: Deadline = .after(.seconds(10))) async throws {
    let client = try makeClient(server)
    // CR LF is one character.
    while try await client.send("INFO", "clients", deadline: deadline).string?.split(whereSeparator: \.isNewline)
        .contains("blocked_clients:\(count)") != true
    {
        try await Task.sleep(for: .milliseconds(5))
    }
    await client.close()
}

@Suite struct RedisClientTests {
    let soon = Deadline.after(.seconds(10))

    @Test("Values of every type come back as they were written")
    func values() async throws {
        let client = try makeClient(try await .shared())
        let anyBytes = [UInt8](0...255) + [0, 13, 10]
        try await client.set("values:bytes", RedisArgument(anyBytes), deadline: soon)
        #expect(try await client.get("values:bytes", deadline: soon) == anyBytes)
        try await client.set("values:empty", "", deadline: soon)
        #expect(try await client.get("values:empty", deadline: soon) == [])
        #expect(try await client.get("values:absent", deadline: soon) == nil)
        #expect(try await client.incr("values:counter", by: 5, deadline: soon) == 5)
        #expect(try await client.incr("values:counter", deadline: soon) == 6)
        #expect(try await client.del("values:counter", "values:absent", deadline: soon) == 1)
        let nested = try await client.eval(
            "return {1, 'two', {false, redis.status_reply('FINE')}}", deadline: soon)
        #expect(nested == .array([.integer(1), .bytes(Array("two".utf8)), .array([.null, .status("FINE")])]))
        await client.close()
    }

    @Test("SET with NX writes once, and an expiry takes the value away")
    func expiry() async throws {
        let client = try makeClient(try await .shared())
        #expect(try await client.set("expiry", "a", expiry: .seconds(60), onlyIfAbsent: true, deadline: soon))
        #expect(try await !client.set("expiry", "b", onlyIfAbsent: true, deadline: soon))
        #expect(try await client.expire("expiry", after: .milliseconds(20), deadline: soon))
        while try await client.get("expiry", deadline: soon) != nil { try await Task.sleep(for: .milliseconds(5)) }
        #expect(try await !client.expire("expiry", after: .seconds(1), deadline: soon))
        await client.close()
    }

    @Test("A sorted set is read by score, with bounds that include or exclude")
    func sortedSet() async throws {
        let client = try makeClient(try await .shared())
        for score in 1...5 {
            try await client.zadd("scores", score: Double(score), member: "m\(score)", deadline: soon)
        }
        let some = try await client.zrangeByScore(
            "scores", from: .exclusive(1), to: .inclusive(4), limit: 2, deadline: soon)
        #expect(some.map(\.score) == [2, 3])
        #expect(some.map(\.member) == [Array("m2".utf8), Array("m3".utf8)])
        #expect(try await client.zremRangeByScore("scores", to: .exclusive(3), deadline: soon) == 2)
        #expect(try await client.zrangeByScore("scores", limit: 10, deadline: soon).map(\.score) == [3, 4, 5])
        await client.close()
    }

    @Test("An error of the server is thrown with its code, and its description quotes no value")
    func serverError() async throws {
        let client = try makeClient(try await .shared())
        try await client.set("text", "secret", deadline: soon)
        let error = await #expect(throws: RedisError.self) { try await client.send("INCR", "text", deadline: soon) }
        guard case .server(let code, _) = error?.kind else { throw error ?? RedisError(.unexpectedReply, "no error") }
        #expect(code == "ERR")
        let unknown = await #expect(throws: RedisError.self) { try await client.send("NOPE", "secret", deadline: soon) }
        #expect(unknown.map { !"\($0)".contains("secret") } == true)
        // The connection goes on.
        try await client.ping(deadline: soon)
        await client.close()
    }

    @Test("Ten thousand concurrent commands get their own answers over one connection")
    func pipelining() async throws {
        let client = try makeClient(try await .shared())
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for number in 0..<10_000 {
                group.addTask {
                    try await client.send("ECHO", RedisArgument(number), deadline: soon)
                        == .bytes(Array(String(number).utf8))
                }
            }
            for try await isOwn in group { #expect(isOwn) }
        }
        let info = try await client.send("CLIENT", "LIST", deadline: soon).string
        #expect(info?.contains("name=authms") == true)
        await client.close()
    }

    @Test("Large values pass in both directions at once")
    func largeValues() async throws {
        let client = try makeClient(try await .shared())
        let large = [UInt8](repeating: 7, count: 8 << 20)
        async let first = client.send(["ECHO", RedisArgument(large)], deadline: soon)
        async let second = client.send(["ECHO", RedisArgument(large)], deadline: soon)
        #expect(try await first.bytes?.count == large.count)
        #expect(try await second.bytes == large)
        await client.close()
    }

    @Test("The password and the database are those of the URL")
    func authentication() async throws {
        let server = try await TestRedis.start(password: "p@ssword")
        let client = try makeClient(server) { $0.password = "p@ssword" }
        try await client.ping(deadline: soon)
        let wrong = try makeClient(server) { $0.password = "wrong" }
        let refused = await #expect(throws: RedisError.self) { try await wrong.ping(deadline: soon) }
        #expect(refused?.isUnavailable == true)
        let other = try makeClient(server) { ($0.password, $0.database) = ("p@ssword", 3) }
        try await client.set("here", "x", deadline: soon)
        #expect(try await other.get("here", deadline: soon) == nil)
        for client in [client, wrong, other] { await client.close() }
        await server.stop()
    }

    @Test("A URL is read in all its parts, and one that is wrong is refused without being repeated")
    func urls() throws {
        let whole = try RedisConfiguration(url: "redis://user:s%40cret@cache.local:7000/4")
        #expect(whole.host == "cache.local" && whole.port == 7_000 && whole.database == 4)
        #expect(whole.username == "user" && whole.password == "s@cret")
        #expect(!"\(whole)".contains("cret"))
        let short = try RedisConfiguration(url: "redis://:pw@h")
        #expect(short.username == nil && short.password == "pw" && short.port == 6_379 && short.database == 0)
        for wrong in ["http://h", "redis://", "redis://h/x", "", "redis://h/-1"] {
            let error = #expect(throws: RedisError.self) { try RedisConfiguration(url: wrong) }
            #expect(error?.kind == .invalidConfiguration)
        }
    }
}
