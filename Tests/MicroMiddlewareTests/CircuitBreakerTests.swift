import MicroMiddleware
import Testing

/// A breaker that `#expect` may ask, which takes no mutating calls.
private final class Held {
    private var breaker = CircuitBreaker(threshold: 3, shortestPause: .seconds(1), longestPause: .seconds(4))

    func admit(at now: CircuitBreaker.Instant) -> Bool { breaker.admit(at: now) }
    func wouldRefuse(at now: CircuitBreaker.Instant) -> Bool { breaker.wouldRefuse(at: now) }
    func recordSuccess() { breaker.recordSuccess() }
    func recordFailure(at now: CircuitBreaker.Instant) { breaker.recordFailure(at: now) }
    func recordNothing(at now: CircuitBreaker.Instant) { breaker.recordNothing(at: now) }
}

@Suite("A circuit breaker")
struct CircuitBreakerTests {
    let start = ContinuousClock.now

    private func opened() -> Held {
        let breaker = Held()
        for _ in 0..<3 {
            #expect(breaker.admit(at: start))
            breaker.recordFailure(at: start)
        }
        return breaker
    }

    @Test("It opens after so many failures in a row; a success in between starts the count anew")
    func opens() {
        let breaker = Held()
        breaker.recordFailure(at: start)
        breaker.recordFailure(at: start)
        breaker.recordSuccess()
        breaker.recordFailure(at: start)
        breaker.recordFailure(at: start)
        #expect(breaker.admit(at: start))
        breaker.recordFailure(at: start)
        #expect(!breaker.admit(at: start))
        #expect(breaker.wouldRefuse(at: start))
    }

    @Test("After its pause one caller probes, and closes it by succeeding")
    func probes() {
        let breaker = opened()
        #expect(!breaker.admit(at: start + .milliseconds(999)))
        #expect(!breaker.wouldRefuse(at: start + .seconds(1)))
        #expect(breaker.admit(at: start + .seconds(1)))
        #expect(!breaker.admit(at: start + .seconds(1)))
        breaker.recordSuccess()
        #expect(breaker.admit(at: start + .seconds(1)))
        #expect(breaker.admit(at: start + .seconds(1)))
    }

    @Test("Each probe that fails doubles the pause, up to the longest")
    func backsOff() {
        let breaker = opened()
        var now = start + .seconds(1)
        for pause in [2, 4, 4] {
            #expect(breaker.admit(at: now))
            breaker.recordFailure(at: now)
            #expect(!breaker.admit(at: now + .seconds(pause) - .milliseconds(1)))
            now += .seconds(pause)
        }
        #expect(breaker.admit(at: now))
    }

    @Test("A probe that is cancelled is given to the next caller")
    func cancelledProbe() {
        let breaker = opened()
        let now = start + .seconds(1)
        #expect(breaker.admit(at: now))
        breaker.recordNothing(at: now)
        #expect(breaker.admit(at: now))
    }

    @Test("Retries are at most a tenth of the calls, and are not saved up without end")
    func budget() {
        var budget = RetryBudget()
        while budget.takeRetry() {}
        var retries = 0
        for _ in 0..<1_000 {
            budget.recordCall()
            if budget.takeRetry() { retries += 1 }
        }
        #expect(retries == 100)
        for _ in 0..<10_000 { budget.recordCall() }
        retries = 0
        while budget.takeRetry() { retries += 1 }
        #expect(retries == 10)
    }
}
