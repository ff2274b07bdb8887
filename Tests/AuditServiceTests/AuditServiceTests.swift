import AsyncHTTPClient
import AuditService
import ConnectionKit
import Contracts
import Foundation
import Logging
import MicroMiddleware
import NIOCore
import NIOHTTP1
import Postgres
import RabbitMQ
import ServiceLifecycle
import Synchronization
import TestSupport
import Testing

/// The service as a whole, asked over HTTP.
struct AuditServiceTests {
    @Test("An event on the exchange is a record in the answer, in its own tenant only", .timeLimit(.minutes(3)))
    func endToEnd() async throws {
        let service = try await RunningAudit.start()
        try await service.run {
            let tenant = UUID.v7()
            let user = UUID.v7()
            let events = try makeStream(30, tenants: [tenant], data: EventDetail(actorID: user, message: "done"))
            let publisher = RabbitMQPublisher(
                configuration: service.broker, topology: .events, logger: service.fixture.logger)
            // A queue that has just been declared refuses for a moment; publishing again is what a relay does.
            try await eventually(within: .seconds(30), "published") {
                await (try? BrokerEventPublisher(publisher).publish(events, deadline: .after(.seconds(10)))) != nil
            }
            try await eventually(within: .seconds(30), "recorded") { try await service.fixture.count() == 30 }
            await publisher.close()

            let owner = try service.token(user: user, tenant: tenant, roles: ["owner"])
            let list = try await service.get("/api/v1/admin/audit/logs?page_size=7&page=2", token: owner)
            #expect(list.status == 200)
            #expect(list.json["total"] as? Int == 30)
            let items = try #require(list.json["items"] as? [[String: Any]])
            #expect(items.compactMap { $0["sequence"] as? Int } == [23, 22, 21, 20, 19, 18, 17])
            #expect(items.first?["operator_id"] as? String == user.uuidString.lowercased())
            let id = try #require(items.first?["id"] as? String)
            #expect(try await service.get("/api/v1/admin/audit/logs/\(id)", token: owner).status == 200)

            let stranger = try service.token(user: UUID.v7(), tenant: UUID.v7(), roles: ["owner"])
            let others = try await service.get("/api/v1/admin/audit/logs", token: stranger)
            #expect(others.json["total"] as? Int == 0)
            #expect(try await service.get("/api/v1/admin/audit/logs/\(id)", token: stranger).status == 404)
            let asked = try await service.get("/api/v1/admin/audit/logs?tenant_id=\(tenant)", token: stranger)
            #expect(asked.status == 403)

            let member = try service.token(user: user, tenant: tenant, roles: ["member"])
            #expect(try await service.get("/api/v1/admin/audit/logs", token: member).status == 403)
            let own = try await service.get("/api/v1/auth/me/audit-logs", token: member)
            #expect(own.json["total"] as? Int == 30)
            #expect(try await service.get("/api/v1/admin/audit/logs", token: nil).status == 401)

            let path = "/api/v1/admin/audit/verifications"
            let verified = try await service.ask(.POST, path, token: owner)
            let chain = try #require(verified.json["data"] as? [String: Any])
            #expect(chain["is_intact"] as? Bool == true && chain["sequence"] as? Int == 30 && chain["next"] == nil)
            let hash = try #require(chain["hash"] as? String)
            let further = try await service.ask(.POST, "\(path)?after=30-\(hash)", token: owner)
            #expect((further.json["data"] as? [String: Any])?["is_intact"] as? Bool == true)
            let linked = try await service.ask(.POST, "\(path)?after=29-\(hash)", token: owner)
            let fault = (linked.json["data"] as? [String: Any])?["fault"] as? [String: Any]
            #expect(fault?["kind"] as? String == "unlinked" && fault?["sequence"] as? Int == 30)
            for place in ["30", "30-", "-\(hash)", "+1-\(hash)", "\(Int64.max)-\(hash)", "30-\(hash)0"] {
                #expect(try await service.ask(.POST, "\(path)?after=\(place)", token: owner).status == 422, "\(place)")
            }

            let wrong = try await service.get(
                "/api/v1/admin/audit/logs?start_time=yesterday&user_id=7", token: owner)
            #expect(wrong.status == 422)
            let fields = (wrong.json["violations"] as? [[String: Any]])?.compactMap { $0["field"] as? String }
            #expect(fields?.sorted() == ["start_time", "user_id"])

            let stats = try await service.get("/api/v1/admin/audit/stats", token: owner)
            #expect((stats.json["data"] as? [String: Any])?["total"] as? Int == 30)
            #expect(try await service.get("/api/v1/admin/audit/streams", token: owner).status == 403)
            let operators = try service.token(user: UUID.v7(), tenant: DefaultTenant.id, roles: ["owner"])
            let streams = try await service.get("/api/v1/admin/audit/streams", token: operators)
            let states = (streams.json["data"] as? [[String: Any]])?.map { $0["complete_to"] as? Int }
            #expect(states?.contains(30) == true)
            let none = try await service.get("/api/v1/internal/events/head", token: owner)
            #expect(none.status == 401)
        }
    }
}

/// The audit service on a database and a virtual host of its own, listening on a free port.
struct RunningAudit: Sendable {
    let fixture: AuditFixture
    let broker: RabbitMQConfiguration
    private let issuer: TokenIssuer
    private let application: ServiceApplication
    private let port: Port

    private final class Port: Sendable {
        let number = Atomic(0)
    }

    static func start() async throws -> RunningAudit {
        let fixture = try await AuditFixture.make()
        let brokerURL = try await TestRabbitMQ.shared().createVirtualHost()
        let keys = try TestDirectory.make("keys")
        let ring = try KeyRing.generate(directory: keys)
        let file = "\(keys)/published.json"
        try ring.jwks.write(to: URL(filePath: file))
        let settings = ServiceSettings.fixed(
            service: "audit",
            [
                "http.port": "0", "database.url": fixture.url, "rabbitmq.url": brokerURL,
                "keys.jwks_file": file, "internal.secret": String(repeating: "s", count: 40),
                "migrations.directory": "\(AuditFixture.repository)/migrations",
                "services.identity.url": "http://127.0.0.1:9", "services.session.url": "http://127.0.0.1:9",
                "services.profile.url": "http://127.0.0.1:9", "services.mfa.url": "http://127.0.0.1:9",
            ])
        let port = Port()
        let application = try buildAuditService(settings: settings, telemetry: .silent(service: "audit")) {
            port.number.store($0, ordering: .releasing)
        }
        return RunningAudit(
            fixture: fixture, broker: try RabbitMQConfiguration(url: brokerURL),
            issuer: TokenIssuer(ring: ring, issuer: "https://authms.local", audience: "authms"),
            application: application, port: port)
    }

    func run(_ body: @Sendable () async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await application.run() }
            defer { group.cancelAll() }
            try await eventually(within: .seconds(30), "listens") { port.number.load(ordering: .acquiring) != 0 }
            try await body()
        }
    }

    func token(user: UUID, tenant: UUID, roles: [String]) throws -> String {
        try issuer.issue(
            subject: user, tenantID: tenant, roles: roles, sessionID: UUID.v7(), authenticatedAt: Date(),
            methods: ["pwd"]
        ).token
    }

    func get(_ path: String, token: String?) async throws -> (status: Int, json: [String: Any]) {
        try await ask(.GET, path, token: token)
    }

    func ask(
        _ method: HTTPMethod, _ path: String, token: String?
    ) async throws -> (status: Int, json: [String: Any]) {
        let port = port.number.load(ordering: .acquiring)
        var request = HTTPClientRequest(url: "http://127.0.0.1:\(port)\(path)")
        request.method = method
        if let token { request.headers.add(name: "Authorization", value: "Bearer \(token)") }
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(15))
        let body = try await response.body.collect(upTo: 4 << 20)
        let json =
            (try? JSONSerialization.jsonObject(with: Data(Array(body.readableBytesView))) as? [String: Any]) ?? [:]
        return (Int(response.status.code), json)
    }
}
