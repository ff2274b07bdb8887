internal import Contracts
internal import Foundation

/// The OpenAPI 3.1 document of one service, put together of what all share (`components.yaml`, `service.yaml`) and every
/// file of the service's own directory, with the house's shorthands written out (see ``APIOperationExpansion``).
package struct APIDocument: Sendable {
    package let service: String
    /// Path items by path, relative to `/api/v1`; with nothing left to write out.
    package let paths: [String: JSONTree]
    /// `components`, by kind and name.
    package let components: [String: [String: JSONTree]]
    /// What the service is for: `info.description`.
    package let summary: String

    /// - Parameter directory: where `components.yaml`, `service.yaml` and `{service}/*.yaml` lie.
    /// - Throws: ``APIDocumentError`` naming the file.
    package init(service: String, directory: String) throws {
        var sources = [try Self.read("\(directory)/components.yaml")]
        // The gateway is none of the services.
        if service != "gateway" { sources.append(try Self.read("\(directory)/service.yaml")) }
        let own = "\(directory)/\(service)"
        let names = (try? FileManager.default.contentsOfDirectory(atPath: own)) ?? []
        for name in names.sorted() where name.hasSuffix(".yaml") { sources.append(try Self.read("\(own)/\(name)")) }
        try self.init(service: service, sources: sources)
    }

    /// - Parameter sources: read one after the other: what two of them define differently is an error.
    init(service: String, sources: [JSONTree]) throws {
        self.service = service
        var paths: [String: JSONTree] = [:]
        var components: [String: [String: JSONTree]] = [:]
        for source in sources {
            for (path, item) in source["paths"]?.members ?? [:] {
                paths[path] = .object(
                    try paths[path, default: [:]].members.merging(item.members) { _, _ in
                        throw APIDocumentError(description: "\(service): \(path) is described twice")
                    })
            }
            for (kind, entries) in source["components"]?.members ?? [:] {
                components[kind] = try components[kind, default: [:]].merging(entries.members) { old, new in
                    guard old == new else {
                        throw APIDocumentError(description: "\(service): a component of \(kind) is defined twice")
                    }
                    return old
                }
            }
        }
        summary = sources.compactMap { $0["info"]?["description"]?.text }.joined(separator: "\n\n")
        components["responses", default: [:]].merge(ErrorResponses.common) { own, _ in own }
        self.components = components
        self.paths = try Dictionary(
            uniqueKeysWithValues: paths.map { path, item in
                (path, try APIOperationExpansion(path: path, components: components).pathItem(item))
            })
    }

    /// Every operation that is described, by its path from the root: `GET /api/v1/auth/me`.
    package var operations: Set<APIOperation> {
        operations(below: APIOperation.prefix)
    }

    /// The same with another prefix: the gateway's own paths have none.
    package func operations(below prefix: String) -> Set<APIOperation> {
        Set(
            paths.flatMap { path, item in
                item.members.keys.filter(APIOperation.methods.contains).map {
                    APIOperation(method: $0.uppercased(), path: prefix + path)
                }
            })
    }

    /// The document as it is served.
    /// - Parameter servers: the addresses that the paths are below: `/api/v1`.
    package func tree(servers: [String]) -> JSONTree {
        Self.tree(
            title: "authms: \(service)", description: summary, servers: servers, paths: paths, components: components)
    }

    /// A document of these parts, with the catalogue of errors in its description.
    package static func tree(
        title: String, description: String, servers: [String], paths: [String: JSONTree],
        components: [String: [String: JSONTree]]
    ) -> JSONTree {
        [
            "openapi": "3.1.0",
            "info": [
                "title": .text(title), "version": "1",
                "description": .text("\(description)\n\n\(ErrorResponses.catalogue)"),
            ],
            "servers": .array(servers.map { ["url": .text($0)] }),
            "security": [["access_token": []]],
            "paths": .object(paths), "components": .object(components.mapValues { .object($0) }),
        ]
    }

    private static func read(_ path: String) throws -> JSONTree {
        guard let yaml = try? String(contentsOfFile: path, encoding: .utf8) else {
            throw APIDocumentError(description: "\(path) cannot be read (openapi.directory)")
        }
        do {
            return try JSONTree(yaml: yaml)
        } catch {
            throw APIDocumentError(description: "\(path): \(error)")
        }
    }
}

/// A method on a path: what a router answers and a document describes.
package struct APIOperation: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// Below which every service has its API.
    package static let prefix = "/api/v1"
    /// The members of a path item that are operations.
    static let methods: Set<String> = ["get", "put", "post", "delete", "patch", "head", "options"]

    /// In capitals.
    package let method: String
    /// With its parameters in braces: `/api/v1/sessions/{session_id}`.
    package let path: String

    package init(method: String, path: String) {
        self.method = method
        self.path = path
    }

    package var description: String { "\(method) \(path)" }

    package static func < (left: APIOperation, right: APIOperation) -> Bool {
        (left.path, left.method) < (right.path, right.method)
    }
}
