import Foundation
import Hummingbird
import Logging
import NIOCore

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// The supervisor's ear: HTTP on a Unix socket that only its owner may open.
///
/// `GET /status` · `POST /processes/{name}/{stop|start|restart|kill|pause|continue}` · `POST /stop`
struct ControlServer: Sendable {
    let path: String
    let supervisor: StackSupervisor
    let logger: Logger

    /// Serves until it is cancelled.
    func run() async throws {
        let directory = URL(filePath: path).deletingLastPathComponent().path(percentEncoded: false)
        try Files.makeDirectory(directory)
        unlink(path)
        defer { unlink(path) }
        let application = Application(
            router: router(),
            configuration: ApplicationConfiguration(address: .unixDomainSocket(path: path)), logger: logger)
        do {
            try await application.run()
        } catch is CancellationError {
            return
        }
    }

    private func router() -> Router<BasicRequestContext> {
        let router = Router()
        let supervisor = supervisor
        router.get("/status") { _, _ in try Self.json(supervisor.status) }
        router.post("/stop") { _, _ in
            supervisor.stop()
            return try Self.json(supervisor.status)
        }
        router.post("/processes/{name}/{action}") { _, context in
            let name = try context.parameters.require("name")
            guard let action = StackSupervisor.Action(rawValue: try context.parameters.require("action")) else {
                throw HTTPError(.notFound, message: "no such action")
            }
            do {
                try await supervisor.perform(action, on: name)
            } catch let error as LocalStackError {
                throw HTTPError(.notFound, message: error.description)
            }
            return try Self.json(supervisor.status)
        }
        return router
    }

    private static func json(_ status: StackStatus) throws -> Response {
        let body = try JSONEncoder().encode(status)
        return Response(
            status: .ok, headers: [.contentType: "application/json"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: body)))
    }
}
