internal import Foundation
package import Logging
internal import ServiceLifecycle

/// Puts changed keys in force while the process runs: looks at the ring's file every few seconds. A ring that cannot be
/// used, or that would leave this process unable to sign what it signs, leaves the keys before it in force.
package struct KeyRingWatcher: Service {
    let ring: KeyRing
    let path: String
    let interval: Duration
    let logger: Logger
    private let load: @Sendable () throws -> KeyRing

    /// Watches a ring with private keys: its index names everything else, and is written last.
    ///
    /// - Parameter uses: what this process signs; a ring without an active key for each is refused.
    package init(ring: KeyRing, directory: String, uses: [KeyUse], interval: Duration, logger: Logger) {
        self.init(ring: ring, path: "\(directory)/\(KeyRing.indexName)", interval: interval, logger: logger) {
            let next = try KeyRing.load(directory: directory)
            try next.selfTest(uses: uses)
            return next
        }
    }

    /// Watches published keys.
    package init(ring: KeyRing, jwksFile: String, interval: Duration, logger: Logger) {
        self.init(ring: ring, path: jwksFile, interval: interval, logger: logger) {
            try KeyRing.verificationOnly(jwksFile: jwksFile)
        }
    }

    private init(
        ring: KeyRing, path: String, interval: Duration, logger: Logger, load: @escaping @Sendable () throws -> KeyRing
    ) {
        self.ring = ring
        self.path = path
        self.interval = interval
        self.logger = logger
        self.load = load
    }

    /// Until graceful shutdown or cancellation.
    package func run() async throws {
        await cancelWhenGracefulShutdown { await watch() }
    }

    private func watch() async {
        // What was loaded may be older than what lies there by now: the first look always loads.
        var seen: Data?
        while (try? await Task.sleep(for: interval)) != nil {
            guard let data = FileManager.default.contents(atPath: path), data != seen else { continue }
            seen = data
            do {
                let next = try load()
                let (before, after) = (ring.keys.map(\.description), next.keys.map(\.description))
                ring.replace(with: next)
                guard before != after else { continue }
                let keys = after.joined(separator: ", ")
                logger.notice("changed keys are in force", metadata: ["file": "\(path)", "keys": "\(keys)"])
            } catch {
                logger.error("the changed keys cannot be used", metadata: ["reason": "\(error)"])
            }
        }
    }
}
