package import NIOCore

/// A circuit breaker for one upstream on one event loop: a pure state machine, told the time.
///
/// After `threshold` failures in a row it refuses at once; after a pause it lets a single trial through, and the
/// trial's outcome closes it or opens it for twice as long, up to `maximumPause`. Where nobody asked for long after the pause
/// (``staleness``), everybody is let through and the next failure opens it again: what it knows is out of date, and those who
/// come while a trial is under way would be refused by a service that has long been back.
package struct Breaker: Sendable {
    private enum State {
        case closed(failures: Int)
        case open(until: NIODeadline, pause: TimeAmount)
        case trial(since: NIODeadline, pause: TimeAmount)
    }

    package static let threshold = 3
    package static let firstPause = TimeAmount.milliseconds(250)
    package static let maximumPause = TimeAmount.seconds(2)
    /// So long after a pause an open breaker says nothing any more.
    package static let staleness = TimeAmount.seconds(1)
    /// A trial that never reported is forgotten after this long.
    package static let trialTimeout = TimeAmount.seconds(15)

    private var state = State.closed(failures: 0)

    package init() {}

    /// Whether the upstream is believed to answer.
    package var isClosed: Bool {
        if case .closed = state { true } else { false }
    }

    /// Whether ``admits(now:)`` would say yes.
    package func wouldAdmit(now: NIODeadline) -> Bool {
        switch state {
        case .closed: true
        case .open(let until, _): now >= until
        case .trial(let since, _): now - since > Self.trialTimeout
        }
    }

    /// Asks whether a request may go to the upstream now.
    package mutating func admits(now: NIODeadline) -> Bool {
        switch state {
        case .closed: return true
        case .open(let until, let pause):
            guard now >= until else { return false }
            state =
                now - until >= Self.staleness
                ? .closed(failures: Self.threshold - 1) : .trial(since: now, pause: pause)
            return true
        case .trial(let since, let pause):
            guard now - since > Self.trialTimeout else { return false }
            state = .trial(since: now, pause: pause)
            return true
        }
    }

    /// The upstream answered.
    package mutating func succeeded() {
        state = .closed(failures: 0)
    }

    /// A request ended without telling anything about the upstream: if it was the trial, the next one is.
    package mutating func abandoned(now: NIODeadline) {
        if case .trial(_, let pause) = state { state = .open(until: now, pause: pause) }
    }

    /// The upstream refused the connection, broke it, or let a deadline pass.
    package mutating func failed(now: NIODeadline) {
        switch state {
        case .closed(let failures):
            if failures + 1 >= Self.threshold {
                state = .open(until: now + Self.firstPause, pause: Self.firstPause)
            } else {
                state = .closed(failures: failures + 1)
            }
        case .trial(_, let pause):
            let next = min(pause * 2, Self.maximumPause)
            state = .open(until: now + next, pause: next)
        case .open: break
        }
    }
}
