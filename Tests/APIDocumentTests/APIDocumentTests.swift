import AuditService
import Contracts
import Foundation
import Gateway
import IdentityService
import MFAService
import MicroMiddleware
import NIOHTTP1
import ProfileService
import SessionService
import TestSupport
import Testing

/// The documents of the API against what the routers answer: neither may have what the other lacks.
@Suite("The documents of the API")
struct APIDocumentTests {
    static let services = ["identity", "session", "profile", "mfa", "audit"]

    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path
    static let directory = "\(root)/configs/openapi"

    @Test(
        "Every route of a service is in its document, and every operation of the document has a route",
        arguments: services)
    func routes(service: String) async throws {
        let application = try await Self.application(service)
        let answered = Set(application.operations).filter { !$0.path.hasPrefix("/api/v1/internal/") }
        let described = try APIDocument(service: service, directory: Self.directory).operations
        let undescribed = answered.subtracting(described).sorted()
        let unanswered = described.subtracting(answered).sorted()
        #expect(undescribed.isEmpty, "add them to configs/openapi/\(service)")
        #expect(unanswered.isEmpty, "configs/openapi/\(service) promises what no route answers")
    }

    @Test("The gateway's document has its own paths and no others")
    func gateway() throws {
        let described = try APIDocument(service: "gateway", directory: Self.directory).operations(below: "")
        #expect(described == Set(OwnEndpoints.paths.map { APIOperation(method: "GET", path: $0) }))
    }

    @Test("What is said to need no token is what the gateway lets through without one", arguments: services)
    func publicPaths(service: String) throws {
        let table = try RouteTable(Self.routeDocument())
        for (path, item) in try APIDocument(service: service, directory: Self.directory).paths {
            for (method, operation) in item.members where operation["responses"] != nil {
                let security = operation["security"]?.elements ?? [["access_token": []]]
                let isPublic = security.isEmpty || security.contains([:])
                let target = "/\(service)/api/v1" + path.replacing(/\{[^}]*\}/, with: "x")
                let decision = Array(target.utf8).withUnsafeBufferPointer {
                    table.decide(method: HTTPMethod(rawValue: method.uppercased()), target: $0)
                }
                guard case .service(let route) = decision else {
                    Issue.record("the gateway does not route \(target)")
                    continue
                }
                #expect(route.isPublic == isPublic, "\(method.uppercased()) \(target)")
            }
        }
    }

    @Test("All services' documents fit together, and every reference in them leads somewhere")
    func aggregate() throws {
        let routes = try Self.routeDocument()
        let documents = try routes.services.map { try APIDocument(service: $0, directory: Self.directory) }
        let own = try APIDocument(service: "gateway", directory: Self.directory)
        let whole = try GatewayDocuments.aggregate(documents, own: own, routes: routes)
        var broken: [String] = []
        Self.walk(whole) { reference in
            let found = reference.dropFirst(2).split(separator: "/").reduce(JSONTree?.some(whole)) { tree, name in
                tree?[String(name).replacing("~1", with: "/")]
            }
            if found == nil { broken.append(reference) }
        }
        #expect(broken.isEmpty)
        // Paths that one service answers for another are there under both names.
        #expect(whole["paths"]?["/identity/api/v1/auth/logout"]?["post"] != nil)
        #expect(whole["paths"]?["/identity/api/v1/auth/me/sessions/{session_id}"]?["delete"] != nil)
    }

    @Test("The catalogue of errors in a document is the one in the code")
    func catalogue() throws {
        let document = try APIDocument(service: "session", directory: Self.directory).tree(servers: ["/api/v1"])
        let text = try #require(document["info"]?["description"]?.text)
        for code in ErrorCode.all { #expect(text.contains("| \(code.value) | `\(code.name)` | \(code.status) |")) }
    }

    @Test("Every type of event in the code is in the document of events")
    func events() throws {
        let document = try EventDocument(directory: Self.directory)
        let contracts = URL(filePath: "\(Self.root)/Sources/Contracts/Events")
        var types: Set<String> = []
        for file in try FileManager.default.contentsOfDirectory(at: contracts, includingPropertiesForKeys: nil) {
            let source = try String(contentsOf: file, encoding: .utf8)
            types.formUnion(source.matches(of: /EventType\(rawValue: "([a-z_.]+)"\)/).map { String($0.1) })
        }
        #expect(types.count > 40)
        let missing = types.subtracting(document.summaries.keys).sorted()
        #expect(missing.isEmpty, "add them to configs/openapi/asyncapi/events.yaml")
        #expect(document.tree["channels"]?["events"]?["messages"]?.members.count == document.summaries.count)
    }

    @Test("An operation says which permission it needs only if there is such a permission")
    func permissions() throws {
        for service in Self.services {
            for item in try APIDocument(service: service, directory: Self.directory).paths.values {
                for operation in item.members.values {
                    guard let name = operation["x-permission"]?.text else { continue }
                    #expect(Permission(rawValue: name) != nil, "\(name)")
                }
            }
        }
    }

    @Test("Every operation that reads a device's tokens has their header as a parameter, and no other has")
    func deviceTokens() throws {
        var described: Set<APIOperation> = []
        for service in Self.services {
            let document = try APIDocument(service: service, directory: Self.directory)
            for (path, item) in document.paths {
                for (method, operation) in item.members {
                    guard Self.headers(of: operation, document).contains("X-Device-Token") else { continue }
                    described.insert(APIOperation(method: method.uppercased(), path: path))
                }
            }
        }
        #expect(
            described == [
                APIOperation(method: "POST", path: "/auth/login"),
                APIOperation(method: "POST", path: "/auth/mfa/verify-challenge"),
                APIOperation(method: "POST", path: "/auth/webauthn/login/complete"),
            ])
    }

    // MARK: - Parts

    private static func headers(of operation: JSONTree, _ document: APIDocument) -> [String] {
        (operation["parameters"]?.elements ?? []).compactMap { parameter in
            let name = parameter["$ref"]?.text?.split(separator: "/").last.map(String.init)
            let parameter = name.flatMap { document.components["parameters"]?[$0] } ?? parameter
            return parameter["in"] == "header" ? parameter["name"]?.text : nil
        }
    }

    private static func routeDocument() throws -> RouteDocument {
        try RouteDocument.parse(yaml: String(contentsOfFile: "\(root)/configs/gateway/routes.yaml", encoding: .utf8))
    }

    private static func walk(_ tree: JSONTree, _ visit: (String) -> Void) {
        if let reference = tree["$ref"]?.text { visit(reference) }
        for member in tree.members.values { walk(member, visit) }
        for element in tree.elements { walk(element, visit) }
    }

    /// The service, composed and not started: nothing that it needs has to be there.
    private static func application(_ service: String) async throws -> ServiceApplication {
        let directory = try TestDirectory.make("documents")
        let keys = "\(directory)/keys"
        let ring = try KeyRing.generate(directory: keys)
        try ring.jwks.write(to: URL(filePath: "\(directory)/jwks.json"))
        let settings = ServiceSettings.fixed(
            service: service,
            [
                "database.url": "postgresql://nobody@127.0.0.1:1/none", "redis.url": "redis://127.0.0.1:1",
                "rabbitmq.url": "amqp://guest:guest@127.0.0.1:1/%2F", "keys.directory": keys,
                "keys.jwks_file": "\(directory)/jwks.json", "audit.keys_directory": keys,
                "audit.checkpoint_directory": directory, "openapi.directory": Self.directory,
                "internal.secret": String(repeating: "s", count: 32),
                "password.pepper": String(repeating: "p", count: 32),
                "mfa.encryption.key": String(repeating: "m", count: 32), "log.level": "critical",
            ])
        switch service {
        case "identity": return try await buildIdentityService(settings: settings)
        case "session": return try await buildSessionService(settings: settings)
        case "profile": return try await buildProfileService(settings: settings)
        case "mfa": return try await buildMFAService(settings: settings)
        default: return try await buildAuditService(settings: settings)
        }
    }
}
