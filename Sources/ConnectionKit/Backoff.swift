/// How long to wait before the next attempt: doubling from `base` up to `limit`, with full jitter in the upper half, so
/// that a fleet which lost one server does not return to it in step.
package struct Backoff: Sendable {
    /// The wait after the first failure, before jitter.
    package let base: Duration
    /// No wait is longer.
    package let limit: Duration
    /// Failures in a row so far.
    package private(set) var failures = 0

    package init(base: Duration = .milliseconds(50), limit: Duration = .seconds(2)) {
        self.base = base
        self.limit = limit
    }

    /// Counts a failure and says how long to wait: between half of the doubled wait and all of it.
    package mutating func next() -> Duration {
        var generator = SystemRandomNumberGenerator()
        return next(using: &generator)
    }

    /// As `next()`, with the randomness injected.
    package mutating func next(using generator: inout some RandomNumberGenerator) -> Duration {
        let whole = min(limit, base * (1 << min(failures, 20)))
        failures += 1
        return whole * Double.random(in: 0.5...1, using: &generator)
    }

    /// After a success.
    package mutating func reset() {
        failures = 0
    }
}
