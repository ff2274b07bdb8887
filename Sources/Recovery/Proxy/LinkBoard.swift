import ConnectionKit
import Foundation
import Hummingbird
package import LocalStack
package import Logging
import NIOCore
import ServiceLifecycle

/// The proxies of a suite that was started with them, and their ear: HTTP on a Unix socket that only its owner may open.
///
/// `GET /links` · `POST /links/{name}/{pass|refuse|stall|cut|delay}`
package struct LinkBoard: Service {
    private let proxies: [FaultProxy]
    private let socket: String
    private let logger: Logger

    package init(plan: StackPlan, logger: Logger) {
        proxies = plan.links.map { FaultProxy($0) }
        socket = plan.layout.linkSocket
        self.logger = logger
    }

    /// Listens for all links: before anything that connects through them is started.
    package func start() async throws(LocalStackError) {
        for proxy in proxies { try await proxy.start() }
    }

    /// Takes orders until graceful shutdown or cancellation; the links pass as long as the process lives.
    package func run() async throws {
        try Files.makeDirectory(URL(filePath: socket).deletingLastPathComponent().path(percentEncoded: false))
        try Files.remove(socket)
        defer { try? Files.remove(socket) }
        let application = Application(
            router: router(), configuration: ApplicationConfiguration(address: .unixDomainSocket(path: socket)),
            logger: logger)
        do {
            try await application.run()
        } catch is CancellationError {
            return
        }
    }

    private func router() -> Router<BasicRequestContext> {
        let router = Router()
        router.get("/links") { _, _ in try await json() }
        router.post("/links/{name}/{mode}") { _, context in
            let name = try context.parameters.require("name")
            guard let proxy = proxies.first(where: { $0.link.name == name }),
                let mode = FaultProxy.Mode(rawValue: try context.parameters.require("mode"))
            else { throw HTTPError(.notFound, message: "no such link or mode") }
            try await proxy.set(mode)
            return try await json()
        }
        return router
    }

    private func json() async throws -> Response {
        var modes: [String: FaultProxy.Mode] = [:]
        for proxy in proxies { modes[proxy.link.name] = await proxy.mode }
        return Response(
            status: .ok, headers: [.contentType: "application/json"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: try JSONEncoder().encode(modes))))
    }
}
