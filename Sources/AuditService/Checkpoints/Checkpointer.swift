import ConnectionKit
import Contracts
import Foundation
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
