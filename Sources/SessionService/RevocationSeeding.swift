import ConnectionKit
import Contracts
import Foundation
package import MicroMiddleware
import ServiceLifecycle
import Synchronization

/// Seeds this process's revocation set from the database and, every five minutes, takes out of it what has expired.
package struct RevocationSeeding: Service {
    let repository: any SessionRepository
    let revocations: RevocationSet
    private let seeded = Seeded()

    private final class Seeded: Sendable {
        let isDone = Atomic<Bool>(false)
    }

    package init(repository: any SessionRepository, revocations: RevocationSet) {
        self.repository = repository
        self.revocations = revocations
    }

    package func run() async throws {
        await cancelWhenGracefulShutdown {
            await seed()
            while !Task.isCancelled {
                try? await Task.sleep(for: .seconds(300))
                revocations.prune()
            }
        }
    }

    /// The database is the truth; until it has been read, what other processes revoked is known from their events alone.
    private func seed() async {
        var after: Int64 = 0
        while !Task.isCancelled {
            do {
                let page = try await repository.revocations(
                    after: after, limit: 5_000, now: Date(), deadline: .after(.seconds(5)))
                for revocation in page.revocations { revocations.apply(revocation) }
                after = page.next
                if !page.hasMore { return seeded.isDone.store(true, ordering: .releasing) }
            } catch {
                try? await Task.sleep(for: .seconds(1))
            }
        }
    }

    /// Waits until the set holds what the database knows; no longer than `limit`, since a database that is away may stay so.
    package func waitUntilSeeded(atMost limit: Duration) async {
        let deadline = Deadline.after(limit)
        while !seeded.isDone.load(ordering: .acquiring), !deadline.hasPassed,
            (try? await Task.sleep(for: .milliseconds(5))) != nil
        {}
    }
}
