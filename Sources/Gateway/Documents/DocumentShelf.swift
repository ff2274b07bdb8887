package import Logging
internal import ServiceLifecycle
internal import Synchronization

/// Where the gateway takes the documents under `/docs` from: they are put together beside the start, which does not wait for them.
package final class DocumentShelf: Service {
    private enum State {
        case preparing
        case there(GatewayDocuments)
    }

    private let state: Mutex<State>
    private let prepare: @Sendable () throws -> GatewayDocuments
    private let logger: Logger

    /// Holds what is put together already.
    package init(_ documents: GatewayDocuments = GatewayDocuments()) {
        state = Mutex(.there(documents))
        prepare = { documents }
        logger = Logger(label: "documents") { _ in SwiftLogNoOpLogHandler() }
    }

    /// - Parameter prepare: reads and joins the documents; for some tenths of a second, on a thread of the pool. When it
    ///   throws there are none, and the gateway does its work all the same.
    package init(logger: Logger, prepare: @escaping @Sendable () throws -> GatewayDocuments) {
        state = Mutex(.preparing)
        self.prepare = prepare
        self.logger = logger
    }

    /// Puts the documents together once, then waits for the shutdown.
    package func run() async throws {
        let documents: GatewayDocuments
        do {
            documents = try prepare()
        } catch {
            logger.error("the documents under /docs cannot be put together", metadata: ["reason": "\(error)"])
            documents = GatewayDocuments()
        }
        state.withLock { $0 = .there(documents) }
        try await gracefulShutdown()
    }

    /// What a path of the documents is answered with.
    enum Finding {
        case file(GatewayDocuments.File)
        /// Not yet: it is there in a moment.
        case preparing
        case nothing
    }

    func find(_ path: String) -> Finding {
        guard path == "/docs" || path.hasPrefix("/docs/") else { return .nothing }
        return state.withLock { state in
            switch state {
            case .preparing: .preparing
            case .there(let documents): documents.files[path].map(Finding.file) ?? .nothing
            }
        }
    }
}
