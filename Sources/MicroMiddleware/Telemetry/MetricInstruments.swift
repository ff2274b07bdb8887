internal import CoreMetrics
internal import Synchronization

/// A number that only rises.
package final class MetricCounter: CounterHandler, Sendable {
    private let count = Atomic<Int64>(0)

    package var value: Int64 { count.load(ordering: .relaxed) }

    package func increment(by amount: Int64 = 1) {
        count.wrappingAdd(max(0, amount), ordering: .relaxed)
    }

    /// Nothing: a counter starts again only with its process.
    package func reset() {}
}

/// A number that goes up and down.
package final class MetricGauge: MeterHandler, RecorderHandler, Sendable {
    private let bits = Atomic<UInt64>(0)

    package var value: Double { Double(bitPattern: bits.load(ordering: .relaxed)) }

    package func set(_ value: Double) { bits.store(value.bitPattern, ordering: .relaxed) }
    package func set(_ value: Int64) { set(Double(value)) }
    package func record(_ value: Int64) { set(Double(value)) }
    package func record(_ value: Double) { set(value) }
    package func decrement(by amount: Double = 1) { increment(by: -amount) }

    package func increment(by amount: Double = 1) {
        var old = bits.load(ordering: .relaxed)
        while true {
            let new = (Double(bitPattern: old) + amount).bitPattern
            let (exchanged, present) = bits.weakCompareExchange(expected: old, desired: new, ordering: .relaxed)
            if exchanged { return }
            old = present
        }
    }
}

/// A distribution over fixed buckets.
package final class MetricHistogram: RecorderHandler, TimerHandler, Sendable {
    /// From half a millisecond to ten seconds: requests, queries, hashes.
    package static let latencyBuckets = [
        0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
    ]

    struct Snapshot {
        let bounds: [Double]
        let counts: [UInt64]
        let sum: Double
    }

    private final class Bucket: Sendable {
        let count = Atomic<UInt64>(0)
    }

    private let bounds: [Double]
    private let buckets: [Bucket]
    private let sum = MetricGauge()

    /// - Parameter bounds: Upper bounds in ascending order; what is larger falls into `+Inf`.
    package init(bounds: [Double]) {
        self.bounds = bounds
        self.buckets = (0...bounds.count).map { _ in Bucket() }
    }

    package func record(_ value: Double) {
        let index = bounds.firstIndex { value <= $0 } ?? bounds.count
        buckets[index].count.wrappingAdd(1, ordering: .relaxed)
        sum.increment(by: value)
    }

    package func record(_ value: Int64) { record(Double(value)) }
    package func recordNanoseconds(_ duration: Int64) { record(Double(duration) / 1e9) }

    /// Records the time since `start`, in seconds.
    package func record(since start: ContinuousClock.Instant) {
        let (seconds, attoseconds) = (ContinuousClock.now - start).components
        record(Double(seconds) + Double(attoseconds) / 1e18)
    }

    func snapshot() -> Snapshot {
        Snapshot(bounds: bounds, counts: buckets.map { $0.count.load(ordering: .relaxed) }, sum: sum.value)
    }
}
