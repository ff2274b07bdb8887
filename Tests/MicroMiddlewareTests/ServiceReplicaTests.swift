import ConnectionKit
import Contracts
import Hummingbird
import MicroMiddleware
import Testing

@Suite("A call to a service with replicas")
struct ServiceReplicaTests {
    /// Two services that count what they are asked, and a client of both.
    private func withPair(
        maximumInFlight: Int = 64, _ body: (ServiceClient, Journal, Journal) async throws -> Void
    ) async throws {
        let (first, second) = (Journal(), Journal())
        try await withReplica(first) { firstPort in
            try await withReplica(second) { secondPort in
                let list = "http://127.0.0.1:\(firstPort), http://127.0.0.1:\(secondPort)/"
                let client = ServiceClient(target: "stub", baseURL: list, maximumInFlight: maximumInFlight) { "none" }
                try await body(client, first, second)
            }
        }
    }

    private func withReplica(_ journal: Journal, _ body: (Int) async throws -> Void) async throws {
        try await withRunningService { onListening in
            let router = try Router.service(.silent(), settings: settings())
            router.post("count") { _, _ in
                journal.note("request")
                return Envelope("done")
            }
            router.get("wait") { _, _ in
                journal.note("waiting")
                try await journal.wait(for: "go on")
                return Envelope("done")
            }
            return ServiceApplication(
                name: "stub", settings: settings(), telemetry: .silent(), router: router, health: HealthRegistry(),
                onListening: onListening)
        } _: { port, _ in
            try await body(port)
        }
    }

    private var scope: RequestScope { RequestScope(deadline: .after(.seconds(5))) }

    @Test("Both are called")
    func shared() async throws {
        try await withPair { client, first, second in
            for _ in 0..<20 { _ = try await client.post("/count", body: ["a": 1], as: NoAnswer.self, scope: scope) }
            #expect(first.all.count >= 5)
            #expect(second.all.count >= 5)
            #expect(first.all.count + second.all.count == 20)
        }
    }

    @Test("One that is gone costs no call, even one that must not be repeated")
    func gone() async throws {
        try await withReplica(Journal()) { port in
            let list = "http://127.0.0.1:1,http://127.0.0.1:\(port)"
            let client = ServiceClient(target: "stub", baseURL: list) { "none" }
            for _ in 0..<20 { _ = try await client.post("/count", body: ["a": 1], as: NoAnswer.self, scope: scope) }
            #expect(client.isAvailable)
        }
    }

    @Test("A target that stalls holds so many calls and no more; the rest is refused at once")
    func bulkhead() async throws {
        try await withPair(maximumInFlight: 3) { client, first, second in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<3 { group.addTask { _ = try await client.get("/wait", as: String.self, scope: scope) } }
                let deadline = Deadline.after(.seconds(3))
                while first.all.count + second.all.count < 3, !deadline.hasPassed {
                    try await Task.sleep(for: .milliseconds(2))
                }
                let start = ContinuousClock.now
                let error = await #expect(throws: ServiceCallError.self) {
                    try await client.get("/wait", as: String.self, scope: scope)
                }
                guard case .overloaded = error else {
                    Issue.record("\(String(describing: error))")
                    return
                }
                #expect(error?.isUnavailable == true)
                #expect(ContinuousClock.now - start < .seconds(2))
                first.note("go on")
                second.note("go on")
                try await group.waitForAll()
            }
            #expect(try await client.get("/wait", as: String.self, scope: scope) == "done")
        }
    }

    @Test("One that is about to stop is left alone for a while; a breaker that is open counts more")
    func rules() {
        let now = ContinuousClock.now
        var replicas = ServiceReplicas(count: 2, maximumInFlight: 10)
        func next(_ after: UInt64 = 0, at instant: ContinuousClock.Instant? = nil) -> Int? {
            let instant = instant ?? now
            guard let index = replicas.take(at: instant, after: after) else { return nil }
            replicas.giveBack(index, .nothing, at: instant)
            return index
        }
        if let index = replicas.take(at: now, after: 0b10) {
            #expect(index == 0)
            replicas.giveBack(index, .answered(isLastOnConnection: true), at: now)
        }
        for _ in 0..<4 { #expect(next() == 1) }
        // Somebody must be asked.
        #expect(next(0b10) == 0)
        let later = now + ServiceReplicas.absence
        #expect(Set((0..<4).compactMap { _ in next(at: later) }) == [0, 1])
        for _ in 0..<3 {
            if let index = replicas.take(at: later, after: 0b01) { replicas.giveBack(index, .failed, at: later) }
        }
        for _ in 0..<4 { #expect(next(at: later) == 0) }
        #expect(!replicas.hasOther(at: later, than: 0b01))
        #expect(!replicas.wouldRefuse(at: later))
    }
}
