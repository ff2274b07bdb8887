import ConnectionKit
import Foundation
import Logging
import MicroMiddleware
import Testing

@Suite("A key ring that changes")
struct KeyRingWatcherTests {
    /// What the watcher has said.
    private let journal = Journal()
    private var logger: Logger { Logger(label: "test") { _ in JournalLog(journal: journal) } }
    private static let refusal = "the changed keys cannot be used"

    /// Runs `body` while the watcher looks at the ring every ten milliseconds.
    private func watching(_ watcher: KeyRingWatcher, _ body: () async throws -> Void) async throws {
        let running = Task { try await watcher.run() }
        defer { running.cancel() }
        try await body()
    }

    private func wait(_ condition: () -> Bool) async throws {
        let deadline = Deadline.after(.seconds(10))
        while !condition() {
            try #require(!deadline.hasPassed, "not in time")
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    @Test("Published keys that change are in force at once; a file that is no key set changes nothing")
    func published() async throws {
        try await KeyRingTests.withDirectory { directory in
            let first = try KeyRing.generate(directory: "\(directory)/a")
            let second = try KeyRing.generate(directory: "\(directory)/b")
            let file = "\(directory)/jwks.json"
            try first.jwks.write(to: URL(filePath: file))
            let ring = try KeyRing.verificationOnly(jwksFile: file)
            let watcher = KeyRingWatcher(ring: ring, jwksFile: file, interval: .milliseconds(10), logger: logger)
            try await watching(watcher) {
                try second.jwks.write(to: URL(filePath: file), options: .atomic)
                try await wait { ring.keys.map(\.kid) == second.keys.filter { $0.use == .access }.map(\.kid) }
                let inForce = ring.snapshot
                try Data("{\"keys\":[]}".utf8).write(to: URL(filePath: file), options: .atomic)
                try await journal.wait(for: Self.refusal)
                #expect(ring.snapshot === inForce)
            }
        }
    }

    @Test("A ring that would leave nobody to sign is not taken up; the next good one is")
    func signing() async throws {
        try await KeyRingTests.withDirectory { directory in
            try KeyRing.generate(directory: directory)
            let ring = try KeyRing.load(directory: directory)
            let index = URL(filePath: "\(directory)/\(KeyRing.indexName)")
            let good = try String(contentsOf: index, encoding: .utf8)
            let watcher = KeyRingWatcher(
                ring: ring, directory: directory, uses: [.access, .refresh], interval: .milliseconds(10), logger: logger
            )
            try await watching(watcher) {
                for bad in ["[", good.replacing("active", with: "retiring")] {
                    let refused = journal.count(of: Self.refusal)
                    try Data(bad.utf8).write(to: index, options: .atomic)
                    try await wait { journal.count(of: Self.refusal) > refused }
                    try ring.selfTest(uses: [.access, .refresh])
                }
                let renamed = good.replacing("\"es-", with: "\"renamed-")
                try Data(renamed.utf8).write(to: index, options: .atomic)
                try await wait { ring.keys.contains { $0.kid.hasPrefix("renamed-") } }
            }
        }
    }
}
