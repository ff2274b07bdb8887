import ConnectionKit
import Contracts
import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import MicroMiddleware
import Postgres
import Testing

@Suite("A service over HTTP")
struct ServiceHTTPTests {
    let fixture = ServiceFixture()

    @Test("A success is an envelope with its data, its code 0 and the time")
    func success() async throws {
        let response = try await fixture.ask { try await $0.ask(.get, "/api/v1/public/currencies") }
        let object = try response.object
        #expect(response.status == .ok)
        #expect(object["code"] as? Int == 0)
        #expect(object["data"] as? [String] == ["EUR", "USD"])
        #expect(Timestamp.parse(try #require(object["timestamp"] as? String)) != nil)
        #expect(response.headers[.cacheControl] == nil)
    }

    @Test("A handler of an authenticated group gets the identity of the token, and the answer is not to be cached")
    func authenticated() async throws {
        let response = try await fixture.ask { try await $0.ask(.get, "/api/v1/wallets/mine", token: "good") }
        let data = try #require(try response.object["data"] as? [String: Any])
        #expect(data["owner"] as? String == ServiceFixture.user.uuidString)
        #expect(response.headers[.cacheControl] == "no-store")
    }

    @Test("A list carries its total and its page")
    func list() async throws {
        let response = try await fixture.ask { client in
            _ = try await client.ask(.post, "/api/v1/wallets/deposits", token: "good", body: #"{"cents":5}"#)
            return try await client.ask(.get, "/api/v1/admin/wallets?page_size=50", token: "owner")
        }
        let object = try response.object
        #expect((object["items"] as? [String])?.count == 1)
        #expect(object["total"] as? Int == 1)
        let pagination = try #require(object["pagination"] as? [String: Any])
        #expect(pagination.count == 4 && pagination["total_is_exact"] as? Bool == true)
        for (name, number) in ["page": 1, "page_size": 50, "total_pages": 1] {
            #expect(pagination[name] as? Int == number, "\(name)")
        }
    }

    @Test("A total that has reached the bound of its counting is said to be no exact one")
    func bound() {
        let page = Page(number: 2, size: 20)
        #expect(page.countBound == 1_040)
        for (total, isExact) in [(0, true), (1_039, true), (1_040, false)] {
            let list = ListEnvelope([1], total: total, countedUpTo: page.countBound, page: page)
            #expect(list.totalIsExact == isExact, "\(total)")
        }
        #expect(ListEnvelope([1], total: 5_000, page: page).totalIsExact)
    }

    @Test("A creation answers 201")
    func creation() async throws {
        let response = try await fixture.ask {
            try await $0.ask(.post, "/api/v1/wallets/deposits", token: "good", body: #"{"cents":5,"unknown":[]}"#)
        }
        #expect(response.status == .created)
    }

    @Test(
        "Without a token that verifies, the answer is one 401",
        arguments: [nil, "bad", ""] as [String?])
    func unauthenticated(token: String?) async throws {
        let response = try await fixture.ask { try await $0.ask(.get, "/api/v1/wallets/mine", token: token) }
        #expect(response.status == .unauthorized)
        #expect(try response.failure.code == ErrorCode.tokenInvalid.value)
        #expect(response.headers[.wwwAuthenticate] == "Bearer")
    }

    @Test("A user who must choose a new password first is told so")
    func passwordChangeDue() async throws {
        let response = try await fixture.ask { try await $0.ask(.get, "/api/v1/wallets/mine", token: "due") }
        #expect(response.status == .forbidden)
        #expect(try response.failure.code == ErrorCode.passwordChangeRequired.value)
    }

    @Test("A permission that no role of the sender grants is refused by name")
    func permission() async throws {
        let (member, owner) = try await fixture.ask { client in
            (
                try await client.ask(.get, "/api/v1/admin/wallets", token: "good"),
                try await client.ask(.get, "/api/v1/admin/wallets", token: "owner")
            )
        }
        #expect(member.status == .forbidden)
        #expect(try member.failure.message.contains("users:read"))
        #expect(owner.status == .ok)
    }

    @Test("An internal path takes the credential of a service and no user's token")
    func internalOnly() async throws {
        let (user, service) = try await fixture.ask { client in
            (
                try await client.ask(.get, "/api/v1/internal/wallets/caller", token: "owner"),
                try await client.ask(
                    .get, "/api/v1/internal/wallets/caller",
                    headers: [.internalCredential: "Bearer identity-credential"])
            )
        }
        #expect(user.status == .unauthorized)
        #expect(try #require(try service.object["data"] as? [String: String])["caller"] == "identity")
    }

    @Test("An unknown path is 404, a known path with another method 405 with Allow; both are envelopes")
    func notFound() async throws {
        let (path, method) = try await fixture.ask { client in
            (
                try await client.ask(.get, "/api/v1/nothing"),
                try await client.ask(.delete, "/api/v1/public/currencies")
            )
        }
        #expect(path.status == .notFound)
        #expect(try path.failure.code == ErrorCode.notFound.value)
        // By this a caller knows that it is the path that is unknown here (ServiceCallError.isPathUnknown).
        #expect(try path.failure.message == ErrorCode.notFound.message)
        #expect(method.status == .methodNotAllowed)
        #expect(try method.failure.code == ErrorCode.methodNotAllowed.value)
        #expect(method.headers[.allow] == "GET, HEAD")
    }

    @Test("HEAD is answered as GET is, without the body; where there is no GET it is 405")
    func head() async throws {
        let (got, head, refused, wrong, unknown) = try await fixture.ask { client in
            (
                try await client.ask(.get, "/api/v1/public/currencies"),
                try await client.ask(.head, "/api/v1/public/currencies"),
                try await client.ask(.head, "/api/v1/wallets/mine"),
                try await client.ask(.head, "/api/v1/wallets/deposits", token: "good"),
                try await client.ask(.head, "/api/v1/nothing")
            )
        }
        #expect(head.status == .ok)
        #expect(head.headers[.contentType] == got.headers[.contentType])
        #expect(head.headers[.contentLength] == got.headers[.contentLength])
        #expect(head.body.readableBytes == 0 && got.body.readableBytes > 0)
        #expect(refused.status == .unauthorized)
        #expect(wrong.status == .methodNotAllowed)
        #expect(wrong.headers[.allow] == "POST")
        #expect(unknown.status == .notFound)
        for answer in [refused, wrong, unknown] { #expect(answer.body.readableBytes == 0) }
    }

    @Test("An error that nobody expected is a 500 that says nothing of it, and a line in the log that does")
    func unexpected() async throws {
        struct Leak: Error, CustomStringConvertible {
            let description = "SELECT secret FROM /etc/passwd"
        }
        await fixture.wallets.fail(with: Leak())
        let response = try await fixture.ask { try await $0.ask(.get, "/api/v1/wallets/mine", token: "good") }
        let failure = try response.failure
        #expect(response.status == .internalServerError)
        #expect(failure.code == ErrorCode.internal.value)
        #expect(!response.text.contains("secret"))
        #expect(failure.requestID == response.headers[.requestID])
    }

    @Test(
        "What a driver or a domain throws becomes the code that the catalogue has for it",
        arguments: [
            (PostgresError(.unavailable), ErrorCode.dependencyUnavailable),
            (PostgresError(.acquireTimeout), .dependencyUnavailable),
            (PostgresError(.server(sqlState: "42P01", constraint: nil)), .warmingUp),
            (PostgresError(.invalidParameter(position: 1)), .badRequest),
            (PostgresError(.decoding(column: "a", type: "b")), .internal),
            (WalletError.frozen, .permissionDenied),
            (WalletError.leaky("x"), .internal),
            (ServiceCallError.unavailable(target: "session", mayHaveActed: false), .dependencyUnavailable),
            (CancellationError(), .internal),
        ] as [(any Error, ErrorCode)])
    func mapping(error: any Error, code: ErrorCode) async throws {
        await fixture.wallets.fail(with: error)
        let response = try await fixture.ask { try await $0.ask(.get, "/api/v1/wallets/mine", token: "good") }
        #expect(response.status.code == code.status)
        #expect(try response.failure.code == code.value)
        #expect((response.headers[.retryAfter] != nil) == (code.status == 503))
    }

    @Test(
        "A page outside its bounds is refused by the parameter's name",
        arguments: ["page=0", "page_size=201", "page=x"])
    func page(query: String) async throws {
        let response = try await fixture.ask {
            try await $0.ask(.get, "/api/v1/admin/wallets?\(query)", token: "owner")
        }
        #expect(response.status == .unprocessableContent)
        #expect(try response.failure.violations?.first?.field == String(query.prefix { $0 != "=" }))
    }

    @Test("Each request leaves one line, with its route and without its query; health checks leave none")
    func accessLog() async throws {
        try await fixture.ask { client in
            _ = try await client.ask(.get, "/api/v1/public/currencies?token=hunter2", headers: [.requestID: "abc-1"])
            _ = try await client.ask(.get, "/livez")
        }
        let requests = fixture.lines.all.filter { $0.contains(#""msg":"request""#) }
        #expect(requests.count == 1)
        let line = try #require(requests.first)
        let object = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
        #expect(object["request_id"] as? String == "abc-1")
        #expect(object["route"] as? String == "/api/v1/public/currencies")
        #expect(object["status"] as? Int == 200)
        #expect(!line.contains("hunter2"))
        #expect(line.hasSuffix("}\n"))
    }

    @Test("Requests are counted by route, not by path")
    func metrics() async throws {
        let text = try await fixture.ask { client in
            _ = try await client.ask(.get, "/api/v1/nothing/1")
            _ = try await client.ask(.get, "/api/v1/nothing/2")
            return try await client.ask(.get, "/metrics").text
        }
        #expect(
            text.contains(#"http_server_request_duration_seconds_count{method="GET",route="NotFound",status="404"} 2"#))
        #expect(!text.contains("nothing"))
    }
}
