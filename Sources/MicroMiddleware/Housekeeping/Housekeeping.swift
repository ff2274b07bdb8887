internal import ConnectionKit
package import Foundation
internal import Logging
package import Postgres
internal import ServiceLifecycle

/// Deletes from a service's database what no longer means anything, in small batches, every five minutes or so.
///
/// Each replica does it, at times of its own: no two need to agree on who, since a batch passes over what another one holds.
package struct Housekeeping: Service {
    /// Rows that one statement deletes.
    package static let batch = 1_000
    /// Batches of one table in a row, so that one table's backlog does not keep the others waiting.
    package static let mostBatches = 100

    private let sweeps: [Sweep]
    private let database: PostgresClient
    private let interval: Duration
    private let metrics: MetricsRegistry
    private let logger: Logger

    /// - Parameter interval: from one round to the next, give or take a fifth.
    package init(
        _ sweeps: [Sweep], database: PostgresClient, interval: Duration = .seconds(300), telemetry: Telemetry
    ) {
        self.sweeps = sweeps
        self.database = database
        self.interval = interval
        metrics = telemetry.metrics
        logger = telemetry.logger
    }

    package func run() async throws {
        await cancelWhenGracefulShutdown {
            while (try? await Task.sleep(for: interval * Double.random(in: 0.8...1.2))) != nil {
                await sweep(now: Date())
            }
        }
    }

    /// One round. A table that cannot be swept is left to the next one.
    package func sweep(now: Date) async {
        for sweep in sweeps {
            do {
                try await clear(sweep, now: now)
            } catch {
                metrics.counter(
                    "authms_housekeeping_failures_total", help: "Rounds in which a table could not be swept.",
                    labels: [("table", sweep.table)]
                ).increment()
                logger.info(
                    "what has expired could not be deleted", metadata: ["table": "\(sweep.table)", "error": "\(error)"])
            }
        }
    }

    private func clear(_ sweep: Sweep, now: Date) async throws {
        let deleted = metrics.counter(
            "authms_housekeeping_deleted_total", help: "Rows that were deleted because they meant nothing any more.",
            labels: [("table", sweep.table)])
        for _ in 0..<Self.mostBatches where !Task.isCancelled {
            let gone = try await database.query(
                sweep.deletion(now: now, limit: Self.batch), deadline: .after(.seconds(10))
            ).affectedRows
            deleted.increment(by: Int64(gone))
            if gone < Self.batch { return }
        }
    }
}
