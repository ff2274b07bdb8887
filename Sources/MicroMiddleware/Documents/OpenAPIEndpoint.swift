internal import Contracts
internal import HTTPTypes
internal import Hummingbird
internal import Logging
internal import Synchronization

/// `/api/v1/openapi.json`, which every service has: the document of its own API, for anybody.
final class OpenAPIEndpoint: Sendable {
    private let service: String
    private let directory: String
    private let logger: Logger
    /// Read when it is first asked for: most processes never are.
    private let document = Mutex<[UInt8]?>(nil)

    init(service: String, directory: String, logger: Logger) {
        self.service = service
        self.directory = directory
        self.logger = logger
    }

    func addRoute(to router: Router<BaseRequestContext>) {
        router.get("api/v1/openapi.json") { _, _ in
            guard let body = self.body() else { throw APIError(.notFound, "The document cannot be read.") }
            return Response(
                status: .ok,
                headers: [
                    .contentType: "application/json; charset=utf-8", .contentLength: String(body.count),
                    .cacheControl: "public, max-age=60",
                ],
                body: ResponseBody(byteBuffer: ByteBuffer(bytes: body)))
        }
    }

    private func body() -> [UInt8]? {
        document.withLock { document in
            if let document { return document }
            do {
                let read = try APIDocument(service: service, directory: directory)
                document = try read.tree(servers: [APIOperation.prefix]).encoded()
            } catch {
                logger.error("the service's OpenAPI document cannot be read", metadata: ["reason": "\(error)"])
            }
            return document
        }
    }
}

extension Router<BaseRequestContext> {
    /// What the router answers, by path from the root, parameters in braces.
    var operations: [APIOperation] {
        routes.map { route in
            let path = route.path.description.split(separator: "/").map { segment in
                segment.hasPrefix(":") ? "{\(segment.dropFirst())}" : String(segment)
            }
            return APIOperation(method: route.method.rawValue, path: "/" + path.joined(separator: "/"))
        }
    }
}
