import ConnectionKit
import Contracts
import Foundation
import HTTPTypes
import Hummingbird
import MicroMiddleware
import NIOCore
import ServiceLifecycle
import Synchronization
import Testing

@Suite("A call to another service")
struct ServiceClientTests {
    /// What the stub answers with, one request after the other; 200 when nothing is left.
    final class Script: Sendable {
        private let codes: Mutex<[ErrorCode]>
        let journal = Journal()
        private let isNotActedOn: Bool

        init(_ codes: [ErrorCode] = [], isNotActedOn: Bool = false) {
            self.codes = Mutex(codes)
            self.isNotActedOn = isNotActedOn
        }

        func next() throws {
            journal.note("request")
            let code = codes.withLock { $0.isEmpty ? nil : $0.removeFirst() }
            if let code { throw APIError(code, isNotActedOn: isNotActedOn) }
        }
    }

    private func withStub(_ script: Script, _ body: (ServiceClient) async throws -> Void) async throws {
        try await withRunningService { onListening in
            let router = try Router.service(.silent(), settings: settings())
            let group = router.internalOnly("internal", verify: ServiceFixture.verifyService)
            group.get("echo") { request, context in
                try script.next()
                return Envelope([
                    "caller": context.caller, "request_id": context.requestID, "trace": context.scope.trace.traceID,
                    "deadline_ms": request.headers[.requestDeadline] ?? "",
                ])
            }
            group.post("echo") { request, context in
                try script.next()
                return Envelope(try await request.decode(as: [String: Int].self, context: context), status: .created)
            }
            group.delete("echo") { _, _ in
                try script.next()
                return HTTPResponse.Status.noContent
            }
            group.get("slow") { _, context in
                script.journal.note("slow")
                // The stub stops only once this has ended: long enough to see that nobody waited for it.
                try await Task.sleep(for: .milliseconds(1_500))
                script.journal.note("slow ended")
                return Envelope("late")
            }
            group.get("trickle") { _, _ in
                // All of the head, and of the body a part.
                Response(
                    status: .ok,
                    body: .init { writer in
                        try await writer.write(ByteBuffer(string: #"{"data":"#))
                        try await Task.sleep(for: .milliseconds(1_500))
                        script.journal.note("trickle ended")
                        try await writer.finish(nil)
                    })
            }
            group.get("odd") { _, _ in "not json" }
            return ServiceApplication(
                name: "stub", settings: settings(), telemetry: .silent(), router: router, health: HealthRegistry(),
                onListening: onListening)
        } _: { port, _ in
            try await body(
                ServiceClient(target: "stub", baseURL: "http://127.0.0.1:\(port)/") { "identity-credential" })
        }
    }

    private func scope(_ time: Duration = .seconds(5)) -> RequestScope { RequestScope(deadline: .after(time)) }

    @Test("It proves its caller and hands on request id, trace and the time that is left")
    func headers() async throws {
        try await withStub(Script()) { client in
            let scope = scope(.seconds(3))
            let seen = try await client.get("/internal/echo", as: [String: String].self, scope: scope)
            #expect(seen["caller"] == "identity")
            #expect(seen["request_id"] == scope.requestID)
            #expect(seen["trace"] == scope.trace.traceID)
            #expect((2_000...3_000).contains(Int(seen["deadline_ms"] ?? "") ?? 0))
        }
    }

    @Test("A body goes out and the data of the answer's envelope comes back; 204 has none")
    func bodies() async throws {
        try await withStub(Script()) { client in
            let data = try await client.post("/internal/echo", body: ["a": 1], as: [String: Int].self, scope: scope())
            #expect(data == ["a": 1])
            _ = try await client.post("/internal/echo", body: ["a": 1], as: NoAnswer.self, scope: scope())
            try await client.delete("/internal/echo", scope: scope())
        }
    }

    @Test("A refusal carries the target's status and code, and is not tried again")
    func rejected() async throws {
        let script = Script([.alreadyRegistered])
        try await withStub(script) { client in
            let error = await #expect(throws: ServiceCallError.self) {
                try await client.post(
                    "/internal/echo", body: ["a": 1], as: NoAnswer.self, scope: scope(), isIdempotent: true)
            }
            #expect(error?.code == ErrorCode.alreadyRegistered.value)
            #expect(error?.isUnavailable == false)
            #expect(script.journal.all.count == 1)
            #expect(client.isAvailable)
        }
    }

    @Test("A target that says it has not acted on the request counts as one that gave no answer")
    func notActedOn() async throws {
        for (isNotActedOn, isWithoutAnswer) in [(true, true), (false, false)] {
            let script = Script([.dependencyUnavailable], isNotActedOn: isNotActedOn)
            try await withStub(script) { client in
                let error = await #expect(throws: ServiceCallError.self) {
                    try await client.post("/internal/echo", body: ["a": 1], as: NoAnswer.self, scope: scope())
                }
                #expect(error?.isUnavailable == true && error?.isWithoutAnswer == isWithoutAnswer)
                #expect(script.journal.all.count == 1)
            }
        }
    }

    @Test("A 503 is tried again where that is harmless, and only there")
    func retries() async throws {
        let script = Script([.dependencyUnavailable])
        try await withStub(script) { client in
            _ = try await client.get("/internal/echo", as: [String: String].self, scope: scope())
            #expect(script.journal.all.count == 2)
        }
        let once = Script([.dependencyUnavailable])
        try await withStub(once) { client in
            let error = await #expect(throws: ServiceCallError.self) {
                try await client.post("/internal/echo", body: ["a": 1], as: NoAnswer.self, scope: scope())
            }
            #expect(error?.isUnavailable == true)
            #expect(once.journal.all.count == 1)
        }
    }

    @Test("When everything fails, retries add a tenth to the load, not more")
    func retryBudget() async throws {
        let script = Script(Array(repeating: .overloaded, count: 1_000))
        try await withStub(script) { client in
            for _ in 0..<100 {
                await #expect(throws: ServiceCallError.self) {
                    try await client.get("/internal/echo", as: NoAnswer.self, scope: scope())
                }
            }
            #expect((101...111).contains(script.journal.all.count))
        }
    }

    @Test("A call ends at its deadline, whatever the target does")
    func deadline() async throws {
        let script = Script()
        try await withStub(script) { client in
            let error = await #expect(throws: ServiceCallError.self) {
                try await client.get("/internal/slow", as: String.self, scope: scope(.milliseconds(100)))
            }
            #expect(!script.journal.all.contains("slow ended"))
            guard case .deadlineExceeded = error else {
                Issue.record("\(String(describing: error))")
                return
            }
        }
    }

    @Test("The deadline holds for the body, too, when the head came in time")
    func deadlineOfBody() async throws {
        let script = Script()
        try await withStub(script) { client in
            let error = await #expect(throws: ServiceCallError.self) {
                try await client.get("/internal/trickle", as: String.self, scope: scope(.milliseconds(300)))
            }
            #expect(!script.journal.all.contains("trickle ended"))
            guard case .deadlineExceeded = error else {
                Issue.record("\(String(describing: error))")
                return
            }
        }
    }

    @Test("A call ends when its task is cancelled")
    func cancellation() async throws {
        let script = Script()
        try await withStub(script) { client in
            await withTaskGroup(of: Void.self) { group in
                group.addTask {
                    await #expect(throws: ServiceCallError.self) {
                        try await client.get(
                            "/internal/slow", as: String.self, scope: RequestScope(deadline: .after(.seconds(5))))
                    }
                }
                try? await script.journal.wait(for: "slow")
                group.cancelAll()
            }
            #expect(!script.journal.all.contains("slow ended"))
        }
    }

    @Test("An answer that is not what was agreed is an error of its own")
    func unreadable() async throws {
        try await withStub(Script()) { client in
            let error = await #expect(throws: ServiceCallError.self) {
                try await client.get("/internal/odd", as: String.self, scope: scope())
            }
            guard case .unreadable = error else {
                Issue.record("\(String(describing: error))")
                return
            }
        }
    }

    @Test("Where nobody listens it fails at once, then the breaker refuses without trying")
    func refused() async throws {
        var fastest = Duration.seconds(60)
        for _ in 0..<10 {
            let client = ServiceClient(target: "nobody", baseURL: "http://127.0.0.1:1") { "none" }
            for _ in 0..<3 {
                let start = ContinuousClock.now
                let error = await #expect(throws: ServiceCallError.self) {
                    try await client.post("/", body: ["a": 1], as: NoAnswer.self, scope: scope())
                }
                fastest = min(fastest, ContinuousClock.now - start)
                guard case .unavailable(_, mayHaveActed: false) = error else {
                    Issue.record("\(String(describing: error))")
                    return
                }
            }
            #expect(!client.isAvailable)
        }
        // Had it been tried until the connect timeout, not even the fastest would be under half a second.
        #expect(fastest < .milliseconds(250))
    }
}
