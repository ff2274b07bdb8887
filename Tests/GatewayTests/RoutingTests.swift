import Contracts
import Gateway
import NIOHTTP1
import Testing

@Suite("Routing")
struct RoutingTests {
    private let table: RouteTable

    init() throws {
        table = try RouteTable(RouteDocument.parse(yaml: try GatewayFixture.routesYAML()))
    }

    private func decide(_ method: HTTPMethod, _ target: String) -> RouteDecision {
        var target = target
        return target.withUTF8 { table.decide(method: method, target: $0) }
    }

    /// `service path?query public` of a routed target, nil when it is not routed.
    private func routed(_ method: HTTPMethod, _ target: String) -> String? {
        guard case .service(let route) = decide(method, target) else { return nil }
        let path = String(decoding: Array(target.utf8)[route.pathOffset...], as: UTF8.self)
        return "\(table.upstreams[route.upstream]) \(path)\(route.isPublic ? " public" : "")"
    }

    @Test(
        "A service is reached under its name, with the suffix, and under /bff",
        arguments: ["/identity", "/identity-service", "/bff/identity", "/bff/identity-service"])
    func prefixes(prefix: String) {
        #expect(routed(.GET, "\(prefix)/api/v1/auth/me?x=1") == "identity /api/v1/auth/me?x=1")
    }

    @Test(
        "Paths that outlive identity go to the service that answers them",
        arguments: [
            ("/auth/refresh", "session"), ("/auth/logout", "session"), ("/auth/me/sessions", "session"),
            ("/auth/me/sessions/0198-a", "session"), ("/auth/me/mfa-methods", "mfa"), ("/auth/me/audit-logs", "audit"),
            ("/auth/me", "identity"), ("/auth/me/sessionsx", "identity"), ("/auth/refresh/x", "identity"),
        ])
    func overrides(path: String, service: String) {
        #expect(routed(.GET, "/identity/api/v1\(path)") == "\(service) /api/v1\(path)")
    }

    @Test(
        "What keeps people signed in is served first, then what signs them in, then the rest",
        arguments: [
            ("GET /identity/api/v1/auth/me", RequestPriority.verify), ("PUT /identity/api/v1/auth/me", .other),
            ("POST /identity/api/v1/auth/check-permission", .verify), ("POST /identity/api/v1/auth/refresh", .refresh),
            ("POST /bff/session/api/v1/sessions/refresh", .refresh), ("POST /identity/api/v1/auth/logout", .refresh),
            ("POST /identity/api/v1/auth/login", .login), ("POST /identity/api/v1/auth/register", .other),
            ("GET /audit/api/v1/admin/audit/logs", .other),
        ])
    func priorities(request: String, priority: RequestPriority) {
        let parts = request.split(separator: " ").map(String.init)
        guard case .service(let route) = decide(HTTPMethod(rawValue: parts[0]), parts[1]) else {
            Issue.record("not routed")
            return
        }
        #expect(route.priority == priority)
    }

    @Test("Public paths need no token, by method; others do")
    func publicPaths() {
        #expect(routed(.POST, "/identity/api/v1/auth/login") == "identity /api/v1/auth/login public")
        #expect(routed(.GET, "/identity/api/v1/auth/login") == "identity /api/v1/auth/login")
        #expect(
            routed(.GET, "/identity/api/v1/public/auth-config/default")
                == "identity /api/v1/public/auth-config/default public")
        #expect(routed(.POST, "/identity/api/v1/auth/logout") == "session /api/v1/auth/logout public")
        #expect(routed(.GET, "/audit/api/v1/admin/audit/logs") == "audit /api/v1/admin/audit/logs")
    }

    @Test(
        "Internal paths are never routed, whatever their case",
        arguments: [
            "/session/api/v1/internal/sessions", "/session/api/v1/internal", "/session/api/v1/INTERNAL/sessions",
            "/bff/session-service/api/v1/Internal/x", "/session/api/v1/internal?x=1", "/session/api/v1",
            "/session/api/v2/sessions", "/session/API/v1/internal/sessions", "/session/metrics", "/session",
        ])
    func internalPaths(target: String) {
        #expect(decide(.GET, target) == .notFound)
    }

    @Test(
        "A target that another reader could take for a different path is refused",
        arguments: [
            "/session/api/v1//internal/x", "//session/api/v1/x", "/session/api/v1/./internal", "/session/./api/v1/x",
            "/session/api/v1/public/../internal/x", "/session/api/v1/%69nternal/x", "/session/api/v1/%49nternal/x",
            "/session/api/v1/x%2fy", "/session/api/v1/%2e%2e/internal", "/session/api/v1/x%5cinternal",
            "/session\\api/v1/x", "/session/api/v1/x%", "/session/api/v1/x%4", "/session/api/v1/x%zz",
            "/session/api/v1/x%00", "/session/api/v1/x%2569", "/session/api/v1/x#y", "/session/api/v1/é",
            "/session/api/v1/x;y", "", "*", "session/api/v1/x", "ftp://host/session/api/v1/x", "http:///session/api",
            "http://u@host/session/api/v1/x", "/session/api/v1/x?a b", "/session/api/v1/..", "/..",
        ])
    func ambiguousTargets(target: String) {
        #expect(decide(.GET, target) == .malformed)
    }

    @Test("HEAD goes where GET goes, with the same rights")
    func head() {
        #expect(routed(.HEAD, "/mfa/api/v1/openapi.json") == routed(.GET, "/mfa/api/v1/openapi.json"))
        #expect(routed(.HEAD, "/mfa/api/v1/openapi.json")?.hasSuffix("public") == true)
        #expect(routed(.HEAD, "/identity/api/v1/auth/login")?.hasSuffix("public") == false)
        for method in [HTTPMethod.GET, .HEAD] {
            guard case .service(let route) = decide(method, "/identity/api/v1/auth/me") else {
                Issue.record("\(method) is not routed")
                continue
            }
            #expect(route.priority == .verify)
        }
    }

    @Test("Escapes that mean only themselves, an absolute form and a trailing slash are accepted")
    func harmlessTargets() {
        #expect(routed(.GET, "/profile/api/v1/profiles/a%20b%40c") == "profile /api/v1/profiles/a%20b%40c")
        #expect(routed(.GET, "http://gateway:11080/mfa/api/v1/mfa/methods") == "mfa /api/v1/mfa/methods")
        #expect(routed(.GET, "/mfa/api/v1/mfa/methods/") == "mfa /api/v1/mfa/methods/")
    }

    @Test("An avatar may be larger than anything else")
    func limits() {
        guard case .service(let avatar) = decide(.POST, "/profile/api/v1/profiles/u1/avatar/upload"),
            case .service(let other) = decide(.POST, "/profile/api/v1/profiles/u1")
        else {
            Issue.record("both are routed")
            return
        }
        #expect(avatar.maximumBodyBytes == 2_621_440)
        #expect(other.maximumBodyBytes == 1_048_576)
    }

    @Test("A document that names an unknown service is refused in a sentence that names it")
    func unknownService() {
        let yaml = "services: [a]\npublic: []\noverrides: [{service: a, path: /x, to: b}]\nlimits: []"
        #expect {
            try RouteTable(RouteDocument.parse(yaml: yaml))
        } throws: { error in
            "\(error)".contains("\"b\"")
        }
    }
}
