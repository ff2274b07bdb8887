internal import Foundation
internal import Synchronization

/// How long a database's statements take: a distribution over the last few seconds, and for all time in the metrics.
///
/// ```swift
/// let load = DatabaseLoad(metrics: telemetry.metrics)
/// let database = PostgresClient(configuration: …, logger: …, onStatement: load.record)
/// ```
package final class DatabaseLoad: Sendable {
    /// Of one window.
    package struct Reading: Sendable, Hashable {
        /// How many statements ended.
        package var count: Int
        /// The 95th percentile of their times, to 10 %; `nil` when there were none.
        package var p95: Duration?

        package init(count: Int, p95: Duration?) {
            self.count = count
            self.p95 = p95
        }
    }

    private static let smallest_us = 10.0
    private static let growth = 1.1
    private static let bucketCount = 160

    private struct State {
        var present = [UInt32](repeating: 0, count: DatabaseLoad.bucketCount)
        var past: [[UInt32]] = []
    }

    private let histogram: MetricHistogram
    private let depth: Int
    private let state = Mutex(State())

    /// - Parameter depth: how many calls of ``roll()`` a statement is remembered for.
    package init(metrics: MetricsRegistry, depth: Int = 5) {
        self.depth = max(1, depth)
        histogram = metrics.histogram(
            "authms_database_statement_duration_seconds",
            help: "How long statements took on their connection, waiting for one aside.")
    }

    /// A statement ended after this time.
    package var record: @Sendable (Duration) -> Void {
        { [self] duration in
            let (seconds, attoseconds) = duration.components
            let time = Double(seconds) + Double(attoseconds) / 1e18
            histogram.record(time)
            let bucket = Self.bucket(time * 1e6)
            state.withLock { $0.present[bucket] &+= 1 }
        }
    }

    /// What the last few windows say, and the beginning of the next one. To be called in equal distances.
    package func roll() -> Reading {
        let sum = state.withLock { state in
            state.past.append(state.present)
            if state.past.count > depth { state.past.removeFirst() }
            state.present = [UInt32](repeating: 0, count: Self.bucketCount)
            return state.past.reduce(into: [UInt32](repeating: 0, count: Self.bucketCount)) { sum, window in
                for bucket in sum.indices { sum[bucket] &+= window[bucket] }
            }
        }
        let count = sum.reduce(0) { $0 + Int($1) }
        var rest = Int((Double(count) * 0.95).rounded(.up))
        for (bucket, number) in sum.enumerated() {
            rest -= Int(number)
            if rest <= 0, count > 0 { return Reading(count: count, p95: Self.upperBound(bucket)) }
        }
        return Reading(count: count, p95: nil)
    }

    private static func bucket(_ microseconds: Double) -> Int {
        guard microseconds > smallest_us else { return 0 }
        return min(bucketCount - 1, Int((log(microseconds / smallest_us) / log(growth)).rounded(.up)))
    }

    private static func upperBound(_ bucket: Int) -> Duration {
        .nanoseconds(Int64(smallest_us * pow(growth, Double(bucket)) * 1_000))
    }
}
