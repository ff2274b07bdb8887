import ConnectionKit
import Logging
import Redis
import TestSupport
import Testing

@Suite struct RedisFaultTests {
    let soon = Deadline.after(.seconds(10))

    @Test("With no server a command fails at once, and works as soon as the server is there")
    func absentAtFirst() async throws {
        let server = try await TestRedis.start()
        await server.stop()
        let client = try makeClient(server)
        let clock = ContinuousClock()
        let time = await clock.measure {
            let error = await #expect(throws: RedisError.self) { try await client.ping(deadline: soon) }
            #expect(error?.kind == .unavailable(outcomeUnknown: false))
        }
        #expect(time < .seconds(1))
        #expect(!client.isAvailable)
        try await server.restart()
        try await waitUntilAvailable(client)
        #expect(client.isAvailable)
        await client.close()
        await server.stop()
    }

    @Test("A killed server fails the commands in flight and those after it; the client comes back by itself")
    func kill() async throws {
        let server = try await TestRedis.start()
        let client = try makeClient(server)
        try await client.ping(deadline: soon)
        let blocked = Task { try await client.send("BLPOP", "nothing", 0, deadline: soon) }
        try await waitUntilBlocked(1, on: server)
        await server.kill()
        let inFlight = await #expect(throws: RedisError.self) { _ = try await blocked.value }
        #expect(inFlight?.kind == .unavailable(outcomeUnknown: true))
        let after = await #expect(throws: RedisError.self) { try await client.ping(deadline: soon) }
        #expect(after?.kind == .unavailable(outcomeUnknown: false))
        try await server.restart()
        try await waitUntilAvailable(client)
        await client.close()
        await server.stop()
    }

    @Test("A stalled server costs a command its deadline and no more, then the client fails fast, then recovers")
    func stall() async throws {
        let server = try await TestRedis.start()
        let client = try makeClient(server) {
            ($0.stallTimeout, $0.connectTimeout) = (.milliseconds(300), .milliseconds(200))
        }
        try await client.ping(deadline: soon)
        await server.pause()
        let clock = ContinuousClock()
        let time = await clock.measure {
            let error = await #expect(throws: RedisError.self) {
                try await client.ping(deadline: .after(.milliseconds(100)))
            }
            #expect(error?.kind == .deadlineExceeded)
        }
        #expect(time >= .milliseconds(100) && time < .seconds(2))
        // A long deadline does not wait for a server that gives no sign of life.
        let stalled = await #expect(throws: RedisError.self) { try await client.ping(deadline: soon) }
        #expect(stalled?.isUnavailable == true)
        #expect(!soon.hasPassed)
        let fast = await clock.measure {
            _ = await #expect(throws: RedisError.self) { try await client.ping(deadline: soon) }
        }
        #expect(fast < .seconds(1))
        await server.continue()
        try await waitUntilAvailable(client)
        await client.close()
        await server.stop()
    }

    @Test("A cancelled command returns at once, and its late answer reaches nobody else")
    func cancellation() async throws {
        let server = try await TestRedis.start()
        let client = try makeClient(server)
        try await client.ping(deadline: soon)
        await server.pause()
        let waiting = Task { try await client.send("ECHO", "mine", deadline: soon) }
        try await Task.sleep(for: .milliseconds(50))
        let clock = ContinuousClock()
        let time = await clock.measure {
            waiting.cancel()
            let error = await #expect(throws: RedisError.self) { _ = try await waiting.value }
            #expect(error?.kind == .cancelled)
        }
        // The server still stands still: nothing but the cancellation ended the wait.
        #expect(time < .seconds(5))
        await server.continue()
        #expect(try await client.send("ECHO", "other", deadline: soon).string == "other")
        await client.close()
        await server.stop()
    }

    @Test("A task that is cancelled already, or a deadline that has passed, sends nothing")
    func tooLate() async throws {
        let server = try await TestRedis.start()
        let client = try makeClient(server)
        let late = await #expect(throws: RedisError.self) { try await client.incr("n", deadline: .after(.zero)) }
        #expect(late?.kind == .deadlineExceeded)
        #expect(try await client.get("n", deadline: soon) == nil)
        await client.close()
        await server.stop()
    }

    @Test("More commands than the bound fail with queueFull, the others do not")
    func bound() async throws {
        let server = try await TestRedis.start()
        let client = try makeClient(server) { $0.maximumPending = 10 }
        try await client.ping(deadline: soon)
        await server.pause()
        let outcomes = await withTaskGroup(of: RedisError.Kind?.self) { group in
            for _ in 0..<15 {
                group.addTask {
                    do throws(RedisError) {
                        try await client.ping(deadline: .after(.seconds(1)))
                        return nil
                    } catch {
                        return error.kind
                    }
                }
            }
            return await group.reduce(into: [RedisError.Kind?]()) { $0.append($1) }
        }
        #expect(outcomes.count { $0 == .queueFull } == 5)
        #expect(outcomes.count { $0 == .deadlineExceeded } == 10)
        await server.continue()
        try await waitUntilAvailable(client)
        await client.close()
        await server.stop()
    }

    @Test("Closing answers what is under way and refuses what comes later")
    func closing() async throws {
        let server = try await TestRedis.shared()
        let client = try makeClient(server)
        try await client.ping(deadline: soon)
        async let answer = client.send("BLPOP", "nothing-here", "1", deadline: soon)
        try await waitUntilBlocked(1, on: server)
        await client.close()
        #expect(try await answer.isNull)
        let refused = await #expect(throws: RedisError.self) { try await client.ping(deadline: soon) }
        #expect(refused?.kind == .unavailable(outcomeUnknown: false))
    }

    @Test("run() ends when its task is cancelled, and closes the client")
    func serviceEnds() async throws {
        let client = try makeClient(try await .shared())
        let service = Task { try await client.run() }
        try await client.ping(deadline: soon)
        service.cancel()
        try await service.value
        #expect(!client.isAvailable)
    }
}
