import ConnectionKit
import Contracts
package import Foundation
import Logging
import MicroMiddleware
import ServiceLifecycle

/// Signs a checkpoint for each tenant with news, at an interval, and keeps a copy outside of the database.
struct Checkpointer: Service {
    let store: CheckpointStore
    let copies: CheckpointCopies?
    let interval: Duration
    let signed: MetricCounter
    let failed: MetricCounter
    /// Tells the relay of the event that a checkpoint leaves in the outbox.
    let wakeRelay: @Sendable () -> Void
    let logger: Logger

    /// Until graceful shutdown, and once more then.
    func run() async throws {
        await cancelWhenGracefulShutdown {
            while (try? await Task.sleep(for: interval)) != nil { await round(within: .seconds(50)) }
        }
        // What came in since the last round. In a task of its own: this one has been cancelled.
        await Task { await round(within: .seconds(5)) }.value
    }

    /// Each statement within `limit` at most.
    private func round(within limit: Duration) async {
        let end = Deadline.after(limit)
        do {
            for tenant in try await store.tenantsWithNews(deadline: end) { try await checkpoint(tenant, deadline: end) }
        } catch {
            logger.warning("no checkpoints can be made at the moment", metadata: ["error": "\(error)"])
        }
    }

    private func checkpoint(_ tenant: UUID, deadline: Deadline) async throws {
        do {
            guard let checkpoint = try await store.make(for: tenant, deadline: deadline) else { return }
            wakeRelay()
            signed.increment()
            try copies?.append(checkpoint)
        } catch let error as CheckpointError {
            failed.increment()
            logger.critical("the audit trail is broken", metadata: ["error": "\(error)"])
        }
    }
}

/// The copies of a tenant's statements, one after the other: constant memory.
package struct CopyReader {
    private var lines: LineReader

    init(_ lines: LineReader) {
        self.lines = lines
    }

    /// The next statement; nil at the end.
    ///
    /// - Throws: ``ExportError`` for a line that is too long, or what reading fails with.
    package mutating func next() throws -> String? {
        try lines.next().map { String(decoding: $0, as: UTF8.self) }
    }
}

/// Copies of the signed statements as lines of a file for each tenant, in a directory that is not the database's: best on
/// another machine, or gathered from there.
package struct CheckpointCopies: Sendable {
    private let directory: String

    /// - Throws: when the directory is not there and cannot be made.
    package init(directory: String) throws {
        self.directory = directory
        try FileManager.default.createDirectory(
            atPath: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o750])
    }

    /// Appends, and waits until it is on the disk.
    package func append(_ checkpoint: Checkpoint) throws {
        let path = path(of: checkpoint.tenantID)
        if !FileManager.default.fileExists(atPath: path) {
            _ = FileManager.default.createFile(atPath: path, contents: nil, attributes: [.posixPermissions: 0o640])
        }
        let file = try FileHandle(forWritingTo: URL(filePath: path))
        defer { try? file.close() }
        try file.seekToEnd()
        try file.write(contentsOf: Data("\(checkpoint.statement)\n".utf8))
        try file.synchronize()
    }

    /// Reads the statements of a tenant, in the order in which they were signed; nil when there is no file.
    package func reader(of tenantID: UUID) -> CopyReader? {
        LineReader(path: path(of: tenantID)).map(CopyReader.init)
    }

    /// The tenants that have a file.
    package func tenants() throws -> [UUID] {
        try FileManager.default.contentsOfDirectory(atPath: directory).sorted().compactMap { name in
            name.hasSuffix(".jws") ? UUID(uuidString: String(name.dropLast(4))) : nil
        }
    }

    private func path(of tenantID: UUID) -> String { "\(directory)/\(tenantID.text).jws" }
}
