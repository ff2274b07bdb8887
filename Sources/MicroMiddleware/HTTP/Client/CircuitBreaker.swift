/// Whether a target is worth calling: after some failures in a row it is left alone for a while, then one call probes it.
///
/// A pure state machine; whoever holds it gives it the time. Every admitted call reports back exactly once.
package struct CircuitBreaker: Sendable {
    package typealias Instant = ContinuousClock.Instant

    private enum State: Equatable {
        case closed(failures: Int)
        case open(until: Instant, pause: Duration)
        case probing(pause: Duration)
    }

    /// So many failures in a row open it.
    let threshold: Int
    /// How long it stays open at first; twice as long after each probe that fails.
    let shortestPause: Duration
    /// How long it stays open at most.
    let longestPause: Duration

    private var state = State.closed(failures: 0)

    package init(
        threshold: Int = 3, shortestPause: Duration = .milliseconds(250), longestPause: Duration = .seconds(4)
    ) {
        self.threshold = threshold
        self.shortestPause = shortestPause
        self.longestPause = longestPause
    }

    /// Whether a call may be made now. When an open time has passed, one caller is let through to probe.
    package mutating func admit(at now: Instant) -> Bool {
        switch state {
        case .closed: return true
        case .probing: return false
        case .open(let until, let pause):
            guard now >= until else { return false }
            state = .probing(pause: pause)
            return true
        }
    }

    /// Whether ``admit(at:)`` would say no.
    package func wouldRefuse(at now: Instant) -> Bool {
        switch state {
        case .closed: false
        case .probing: true
        case .open(let until, _): now < until
        }
    }

    /// The target answered, whatever it said.
    package mutating func recordSuccess() {
        state = .closed(failures: 0)
    }

    /// The target did not answer.
    package mutating func recordFailure(at now: Instant) {
        switch state {
        case .closed(let failures) where failures + 1 < threshold: state = .closed(failures: failures + 1)
        case .closed: state = .open(until: now + shortestPause, pause: shortestPause)
        case .probing(let pause):
            let longer = min(pause * 2, longestPause)
            state = .open(until: now + longer, pause: longer)
        // A call from before it opened: it says nothing new.
        case .open: break
        }
    }

    /// The call ended without telling anything about the target: it was cancelled. A probe is given back.
    package mutating func recordNothing(at now: Instant) {
        if case .probing(let pause) = state { state = .open(until: now, pause: pause) }
    }
}

/// How many retries are allowed: one for ten calls, so that retries cannot double the load of a target in trouble.
package struct RetryBudget: Sendable {
    /// Tenths of a retry that are saved up.
    private var tenths = 10
    /// At most so many tenths: a quiet hour does not buy a storm.
    private static let limit = 100

    package init() {}

    /// A call has been made: a tenth of a retry is earned.
    package mutating func recordCall() {
        tenths = min(tenths + 1, Self.limit)
    }

    /// Takes a retry, if there is one.
    package mutating func takeRetry() -> Bool {
        guard tenths >= 10 else { return false }
        tenths -= 10
        return true
    }
}
