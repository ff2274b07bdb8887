import ConnectionKit
import Foundation
import HTTPTypes
import Hummingbird
import Logging
import MicroMiddleware
import ServiceLifecycle
import Synchronization

/// A service that listens on a port of its own while `body` runs, and is then asked to stop.
func withRunningService(
    _ make: (@escaping @Sendable (Int) -> Void) throws -> ServiceApplication,
    _ body: (Int, ServiceGroup) async throws -> Void
) async throws {
    let (ports, continuation) = AsyncStream<Int>.makeStream()
    let application = try make { continuation.yield($0) }
    let group = ServiceGroup(
        configuration: .init(
            services: [
                .init(
                    service: application, successTerminationBehavior: .gracefullyShutdownGroup,
                    failureTerminationBehavior: .gracefullyShutdownGroup)
            ], logger: Telemetry.silent().logger))
    try await withThrowingTaskGroup(of: Void.self) { tasks in
        tasks.addTask {
            defer { continuation.finish() }
            try await group.run()
        }
        var started = ports.makeAsyncIterator()
        if let port = await started.next() {
            do {
                try await body(port, group)
            } catch {
                await group.triggerGracefulShutdown()
                throw error
            }
        }
        await group.triggerGracefulShutdown()
        try await tasks.waitForAll()
    }
}

/// Settings for a service on a free port.
func settings(_ values: [String: String] = [:]) -> ServiceSettings {
    .fixed(service: "demo", ["http.port": "0"].merging(values) { $1 })
}

/// What happened, in order.
final class Journal: Sendable {
    private let entries = Mutex<[String]>([])

    var all: [String] { entries.withLock { $0 } }

    func note(_ entry: String) { entries.withLock { $0.append(entry) } }

    func count(of entry: String) -> Int { all.count { $0 == entry } }

    /// Waits until the entry is there, at most five seconds.
    func wait(for entry: String) async throws {
        let deadline = Deadline.after(.seconds(5))
        while !all.contains(entry) {
            guard !deadline.hasPassed else { throw Timeout(entry: entry) }
            try await Task.sleep(for: .milliseconds(2))
        }
    }

    struct Timeout: Error {
        let entry: String
    }
}

/// A log whose messages are noted in a journal.
struct JournalLog: LogHandler {
    let journal: Journal
    var logLevel = Logger.Level.info
    var metadata: Logger.Metadata = [:]

    func log(event: LogEvent) { journal.note("\(event.message)") }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }
}
