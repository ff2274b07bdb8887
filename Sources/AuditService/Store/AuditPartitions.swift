package import ConnectionKit
package import Contracts
package import Foundation
import Logging
package import Postgres
import ServiceLifecycle
import Synchronization

/// The monthly partitions of the records: made ahead of time, and where an event needs one that is not there.
package final class AuditPartitions: Sendable {
    private let database: PostgresClient
    private let known = Mutex<Set<String>>([])

    package init(_ database: PostgresClient) {
        self.database = database
    }

    /// Makes sure that each of the times has its partition.
    package func ensure(_ times: [EventTime], deadline: Deadline) async throws {
        // A month is the first seven characters of the time's text.
        let months = Set(times.map { String($0.text.prefix(7)) })
        for month in months.subtracting(known.withLock { $0 }).sorted() {
            try await database.query("SELECT audit_ensure_partition(\(month + "-01")::date)", deadline: deadline)
            known.withLock { _ = $0.insert(month) }
        }
    }

    /// The name of the partition that a record of that time belongs in.
    static func name(of time: EventTime) -> String {
        "audit_records_\(time.text.prefix(7).replacing("-", with: "_"))"
    }

    /// Makes sure of this month's partition and those of the next three.
    package func ensureAhead(now: Date = Date(), deadline: Deadline) async throws {
        try await ensure(
            (0..<4).map { EventTime(now.addingTimeInterval(Double($0) * 30.5 * 86_400)) }, deadline: deadline)
    }
}

/// Keeps partitions ahead of time while the service runs, and lets go of those that the retention policy does not keep.
struct PartitionKeeper: Service {
    let partitions: AuditPartitions
    let retention: AuditRetention
    /// Tells the relay of the events that dropped months leave in the outbox.
    let wakeRelay: @Sendable () -> Void
    let logger: Logger

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                do {
                    try await partitions.ensureAhead(deadline: .after(.seconds(10)))
                    await applyRetention()
                    try await Task.sleep(for: .seconds(3_600))
                } catch is CancellationError {
                    return
                } catch {
                    logger.warning("partitions cannot be made ahead yet", metadata: ["error": "\(error)"])
                    try? await Task.sleep(for: .seconds(5))
                }
            }
        }
    }

    private func applyRetention() async {
        do {
            for gone in try await retention.apply(deadline: .after(.seconds(600))) {
                logger.notice(
                    "the records of a month were dropped",
                    metadata: ["month": "\(gone.month)", "records": "\(gone.records)"])
                wakeRelay()
            }
        } catch {
            logger.warning("the retention policy cannot be applied now", metadata: ["error": "\(error)"])
        }
    }
}
