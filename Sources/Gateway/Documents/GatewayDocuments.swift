internal import Foundation
package import MicroMiddleware

/// The documents of the API that the gateway serves under `/docs`: each service's, all of them as one, the events', and the
/// page to read them on. Put together once, from files: they are there with every service down.
package struct GatewayDocuments: Sendable {
    struct File: Sendable {
        let contentType: String
        let bytes: [UInt8]
    }

    let files: [String: File]

    /// None: what a gateway has that was given no directory.
    package init() {
        files = [:]
    }

    /// - Parameters:
    ///   - directory: where the sources of the documents and the page lie.
    ///   - routes: which service answers a path for another one.
    /// - Throws: ``APIDocumentError`` naming the file, or the two services that contradict each other.
    package init(directory: String, routes: RouteDocument) throws {
        var files: [String: File] = [:]
        for (path, name, type) in Self.page {
            guard let data = FileManager.default.contents(atPath: "\(directory)/page/\(name)") else {
                throw APIDocumentError(description: "\(directory)/page/\(name) cannot be read (openapi.directory)")
            }
            files[path] = File(contentType: type, bytes: Array(data))
        }
        let documents = try routes.services.map { try APIDocument(service: $0, directory: directory) }
        let own = try APIDocument(service: "gateway", directory: directory)
        for document in documents {
            let name = document.service
            let servers = ["/\(name)\(APIOperation.prefix)", "/bff/\(name)\(APIOperation.prefix)"]
            files["/docs/specs/\(name)"] = try Self.json(document.tree(servers: servers))
        }
        files["/docs/specs/gateway"] = try Self.json(own.tree(servers: ["/"]))
        files["/docs/asyncapi.json"] = try Self.json(EventDocument(directory: directory).tree)
        files["/docs/openapi.json"] = try Self.json(Self.aggregate(documents, own: own, routes: routes))
        self.files = files
    }

    /// Everything on one level: `/identity/api/v1/auth/login`, and the gateway's own paths as they are.
    package static func aggregate(
        _ documents: [APIDocument], own: APIDocument, routes: RouteDocument
    ) throws -> JSONTree {
        var paths = own.paths
        var components = own.components
        for document in documents {
            for (path, item) in document.paths {
                paths["/\(document.service)\(APIOperation.prefix)\(path)"] = Self.tagged(item, document.service)
            }
            for (kind, entries) in document.components {
                components[kind] = try components[kind, default: [:]].merging(entries) { old, new in
                    guard old == new else {
                        throw APIDocumentError(
                            description: "\(document.service) defines a component of \(kind) that another service has")
                    }
                    return old
                }
            }
        }
        for rule in routes.overrides {
            let prefix = rule.path.hasSuffix("/**") ? String(rule.path.dropLast(3)) : rule.path
            for (path, item) in documents.first(where: { $0.service == rule.to })?.paths ?? [:]
            where path == prefix || (prefix != rule.path && path.hasPrefix(prefix + "/")) {
                paths["/\(rule.service)\(APIOperation.prefix)\(path)"] = Self.tagged(item, rule.service)
            }
        }
        let summary = (documents + [own]).map { "**\($0.service)**: \($0.summary)" }.joined(separator: "\n\n")
        return APIDocument.tree(
            title: "authms", description: summary, servers: ["/", "/bff"], paths: paths, components: components)
    }

    /// Operations say which service they are of, first.
    private static func tagged(_ item: JSONTree, _ service: String) -> JSONTree {
        .object(
            item.members.mapValues { operation in
                guard operation["responses"] != nil else { return operation }
                var operation = operation
                operation["tags"] = .array([.text(service)] + (operation["tags"]?.elements ?? []))
                return operation
            })
    }

    private static func json(_ tree: JSONTree) throws -> File {
        File(contentType: "application/json; charset=utf-8", bytes: try tree.encoded())
    }

    private static let page: [(path: String, name: String, type: String)] = [
        ("/docs", "index.html", "text/html; charset=utf-8"),
        ("/docs/page.js", "page.js", "text/javascript; charset=utf-8"),
        ("/docs/page.css", "page.css", "text/css; charset=utf-8"),
    ]
}
