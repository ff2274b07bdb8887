import ConnectionKit
import Contracts
import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import MicroMiddleware
import Postgres
import TestSupport
import Testing

@Suite("Admission in a service")
struct WarmupMiddlewareTests {
    let clock = Clock()
    let people = (0..<60).map { "person-\($0)@example.org" }

    /// A service that answers `served` to everything, behind the middleware; its ramp is at the first share.
    private func warming<Value>(
        _ settings: [String: String] = [:],
        _ body: @Sendable (any TestClientProtocol, WarmupController) async throws -> Value
    ) async throws -> Value {
        let fixture = try await CacheFixture.make()
        let database = try await CacheFixture.database()
        let controller = WarmupController(
            service: "test", database: database, redis: fixture.redis, cache: fixture.cache,
            load: DatabaseLoad(metrics: MetricsRegistry()), outbox: Outbox(),
            configuration: try WarmupConfiguration(settings: .fixed(service: "test", settings)),
            metrics: fixture.metrics, logger: Telemetry.silent().logger, now: clock.now)
        try await controller.start(reason: "a test", by: "ann", at: clock.now())
        let router = try Router.service(Telemetry.silent(), settings: .fixed())
        router.addMiddleware { WarmupMiddleware(controller, verify: ServiceFixture.verify) }
        let served: @Sendable (Request, BaseRequestContext) async throws -> String = { request, _ in
            String(buffer: try await request.body.collect(upTo: 1_000)) + " served"
        }
        for path in ["auth/login", "auth/register", "auth/refresh", "internal/sessions"] {
            router.post("api/v1/\(path)", use: served)
        }
        router.get("api/v1/auth/me", use: served)
        router.get("api/v1/admin/users", use: served)
        router.get("livez", use: served)
        let value = try await Application(responder: router.buildResponder(), logger: Telemetry.silent().logger)
            .test(.router) { try await body($0, controller) }
        await database.close()
        await fixture.stop()
        return value
    }

    private static func login(_ person: String) -> String { #"{"identity":"\#(person)","password":"x"}"# }

    @Test("A fifth of those who sign in are let in, always the same, and the others are told when to come back")
    func share() async throws {
        try await warming { client, controller in
            var rounds: [Set<String>] = []
            for _ in 0..<2 {
                var admitted: Set<String> = []
                for person in people {
                    let answer = try await client.ask(.post, "/api/v1/auth/login", body: Self.login(person))
                    if answer.status == .ok {
                        #expect(answer.text == Self.login(person) + " served")
                        admitted.insert(person)
                    } else {
                        #expect(try answer.failure.code == 503_002)
                        #expect((5...15).contains(Int(answer.headers[.retryAfter] ?? "") ?? 0))
                    }
                }
                rounds.append(admitted)
            }
            #expect((3...25).contains(rounds[0].count))
            #expect(rounds[0] == rounds[1])
            try await controller.skip(by: "ann", at: clock.now())
            for person in people {
                #expect(try await client.ask(.post, "/api/v1/auth/login", body: Self.login(person)).status == .ok)
            }
        }
    }

    @Test("Reads through the cache, other services, health and bad tokens are not stopped here; what can wait is")
    func priorities() async throws {
        try await warming(["warmup.first_share": "1"]) { client, _ in
            for _ in 0..<5 {
                #expect(try await client.ask(.get, "/api/v1/auth/me", token: "good").status == .ok)
                #expect(try await client.ask(.post, "/api/v1/internal/sessions", body: "{}").status == .ok)
                #expect(try await client.ask(.get, "/livez").status == .ok)
                #expect(try await client.ask(.get, "/api/v1/admin/users", token: "bad").status == .ok)
            }
            var refused = 0
            for person in people {
                let answer = try await client.ask(.post, "/api/v1/auth/register", body: Self.login(person))
                if answer.status == .serviceUnavailable { refused += 1 }
            }
            #expect(refused > 50)
        }
    }

    @Test("Whoever signed in since the ramp began is in, for what can wait too")
    func guests() async throws {
        // The token of the fixture says that its holder signed in just now, long before the ramp, whose clock is in the future.
        try await warming(["warmup.first_share": "1"]) { client, controller in
            var answers: Set<Int> = []
            for _ in 0..<3 {
                answers.insert(Int(try await client.ask(.get, "/api/v1/admin/users", token: "good").status.code))
            }
            let isIn = controller.present.admits(ServiceFixture.user.text, .other)
            #expect(answers == [isIn ? 200 : 503])
            try await controller.skip(by: "ann", at: clock.now())
            try await controller.start(reason: "again", by: "ann", at: Date(timeIntervalSinceNow: -60))
            #expect(controller.present.share == 1)
            let answer = try await client.ask(.get, "/api/v1/admin/users", token: "good")
            #expect(answer.status == .ok)
        }
    }

    @Test(
        "What a request is worth is as the gateway has it",
        arguments: [
            ("POST /api/v1/auth/refresh", RequestPriority.refresh), ("POST /api/v1/auth/logout", .refresh),
            ("POST /api/v1/sessions/refresh", .refresh), ("DELETE /api/v1/sessions/1", .refresh),
            ("POST /api/v1/auth/login", .login), ("POST /api/v1/auth/mfa/verify-challenge", .login),
            ("GET /api/v1/auth/me", .verify), ("GET /api/v1/auth/me/permissions", .verify),
            ("POST /api/v1/auth/check-permission", .verify), ("POST /api/v1/sessions/1/validate", .verify),
            ("POST /api/v1/admin/tokens/introspect", .verify), ("GET /api/v1/profiles/1/public", .verify),
            ("PUT /api/v1/auth/me", .other), ("POST /api/v1/auth/register", .other), ("GET /api/v1/sessions/1", .other),
            ("PUT /api/v1/profiles/1", .other),
        ])
    func worth(_ line: String, _ priority: RequestPriority) throws {
        let words = line.split(separator: " ").map(String.init)
        let method = try #require(HTTPRequest.Method(words[0]))
        #expect(WarmupMiddleware.priority(of: method, words[1]) == priority)
    }

    @Test("HEAD is worth what GET is")
    func head() {
        #expect(WarmupMiddleware.priority(of: .head, "/api/v1/auth/me") == .verify)
    }

    @Test("Health, and what services ask each other, is worth any time")
    func always() {
        #expect(WarmupMiddleware.priority(of: .get, "/readyz") == nil)
        #expect(WarmupMiddleware.priority(of: .post, "/api/v1/internal/sessions") == nil)
    }

    @Test("A body that is no JSON, or of no shape, is left for the handler to refuse")
    func rubbish() async throws {
        try await warming(["warmup.first_share": "1"]) { client, _ in
            let answer = try await client.ask(.post, "/api/v1/auth/login", body: "{")
            #expect(answer.text == "{ served")
        }
    }
}
