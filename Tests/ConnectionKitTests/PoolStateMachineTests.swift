import ConnectionKit
import Testing

/// Always the same number, so that jitter is none.
private struct FixedGenerator: RandomNumberGenerator, Sendable {
    mutating func next() -> UInt64 { .max }
}

/// The machine with a clock that the test moves.
private struct Bench {
    var machine: PoolStateMachine
    var now = ContinuousClock.now

    init(capacity: Int = 2, waiterLimit: Int = 8, lifetime: Duration = .seconds(1_800)) {
        machine = PoolStateMachine(
            configuration: PoolConfiguration(
                capacity: capacity, waiterLimit: waiterLimit, acquireTimeout: .seconds(1), maximumLifetime: lifetime),
            generator: FixedGenerator())
    }

    mutating func acquire(_ waiter: UInt64, within duration: Duration = .seconds(10)) -> PoolStateMachine.Acquisition {
        machine.acquire(waiter, deadline: now.advanced(by: duration), now: now)
    }

    /// Makes `count` connections, in use: numbers from 1.
    mutating func lease(_ count: UInt64) {
        for id in 1...count {
            _ = acquire(1_000 + id)
            _ = machine.opened(id, now: now)
        }
    }
}

@Suite("Pool: the state machine")
struct PoolStateMachineTests {
    typealias Action = PoolStateMachine.Action

    private func actions(_ acquisition: PoolStateMachine.Acquisition) throws -> [Action] {
        guard case .waiting(let actions) = acquisition else {
            Issue.record("expected to wait, got \(acquisition)")
            return []
        }
        return actions
    }

    @Test("The first caller has a connection opened and gets it; the next one gets it again, at once")
    func reuse() throws {
        var bench = Bench()
        let acquired = try actions(bench.acquire(1))
        #expect(acquired == [.open(1), .arm(bench.now.advanced(by: .seconds(1)))])
        #expect(bench.machine.opened(1, now: bench.now) == [.serve(1, 1)])
        #expect(bench.machine.release(1, reusable: true, now: bench.now) == [])
        bench.now += .seconds(3)
        #expect(bench.acquire(2) == .leased(1, idleFor: .seconds(3)))
    }

    @Test("Never more connections than the capacity, and waiters are served in order")
    func order() throws {
        var bench = Bench(capacity: 2)
        bench.lease(2)
        for waiter in UInt64(1)...3 {
            #expect(try actions(bench.acquire(waiter)).allSatisfy { if case .open = $0 { false } else { true } })
        }
        #expect(bench.machine.release(2, reusable: true, now: bench.now) == [.serve(1, 2)])
        #expect(bench.machine.release(1, reusable: true, now: bench.now) == [.serve(2, 1)])
        #expect(bench.machine.release(1, reusable: true, now: bench.now) == [.serve(3, 1)])
        #expect(bench.machine.connectionCount == 2)
    }

    @Test("A connection that cannot be used again is replaced for the one who waits")
    func replacement() throws {
        var bench = Bench(capacity: 1)
        bench.lease(1)
        _ = bench.acquire(1)
        #expect(bench.machine.release(1, reusable: false, now: bench.now) == [.close(1), .open(2)])
        #expect(bench.machine.opened(2, now: bench.now) == [.serve(1, 2)])
    }

    @Test("More waiters than the bound are refused at once")
    func waiterBound() {
        var bench = Bench(capacity: 1, waiterLimit: 2)
        bench.lease(1)
        _ = bench.acquire(1)
        _ = bench.acquire(2)
        #expect(bench.acquire(3) == .refused(.exhausted))
    }

    @Test("A waiter gives up at the acquire timeout, or at its own deadline when that is earlier")
    func timeouts() throws {
        var bench = Bench(capacity: 1)
        bench.lease(1)
        _ = bench.machine.timerFired(now: bench.now)
        let early = try actions(bench.acquire(1, within: .milliseconds(300)))
        #expect(early == [.arm(bench.now.advanced(by: .milliseconds(300)))])
        #expect(try actions(bench.acquire(2)) == [])
        bench.now += .milliseconds(300)
        let fired = bench.machine.timerFired(now: bench.now)
        #expect(fired.contains(.fail(1, .deadlineExceeded)))
        #expect(!fired.contains(.fail(2, .exhausted)))
        bench.now += .milliseconds(700)
        #expect(bench.machine.timerFired(now: bench.now) == [.fail(2, .exhausted)])
        #expect(bench.acquire(3, within: .zero) == .refused(.deadlineExceeded))
    }

    @Test("A cancelled waiter is told once and forgotten; a served one cannot be cancelled")
    func cancellation() {
        var bench = Bench(capacity: 1)
        bench.lease(1)
        _ = bench.acquire(1)
        _ = bench.acquire(2)
        #expect(bench.machine.cancel(1) == [.fail(1, .cancelled)])
        #expect(bench.machine.cancel(1) == [])
        #expect(bench.machine.release(1, reusable: true, now: bench.now) == [.serve(2, 1)])
        #expect(bench.machine.cancel(2) == [])
    }

    @Test("A failed attempt fails those who wait and opens the breaker; one probe at a time closes it")
    func breaker() throws {
        var bench = Bench(capacity: 4)
        _ = bench.acquire(1)
        _ = bench.acquire(2)
        // The other attempt may still succeed.
        #expect(bench.machine.openingFailed(1, now: bench.now) == [.arm(bench.now.advanced(by: .milliseconds(50)))])
        let failed = bench.machine.openingFailed(2, now: bench.now)
        #expect(failed == [.fail(1, .unavailable), .fail(2, .unavailable)])
        #expect(!bench.machine.isAvailable)
        // Open: refused without an attempt.
        #expect(bench.acquire(3) == .refused(.unavailable))
        // Due: one attempt, for which others wait a short while only.
        bench.now += .milliseconds(50)
        #expect(try actions(bench.acquire(4)).contains(.open(3)))
        #expect(try !actions(bench.acquire(5)).contains(.open(4)))
        bench.now += .milliseconds(100)
        #expect(bench.machine.timerFired(now: bench.now).prefix(2) == [.fail(4, .unavailable), .fail(5, .unavailable)])
        _ = bench.acquire(6)
        #expect(bench.machine.opened(3, now: bench.now).contains(.serve(6, 3)))
        #expect(bench.machine.isAvailable)
    }

    @Test("Attempts that fail one after the other come at growing intervals, up to a limit")
    func backoff() {
        var bench = Bench(capacity: 1)
        _ = bench.machine.maintain(now: bench.now)
        var waits: [Duration] = []
        for id in UInt64(1)...8 {
            let actions = bench.machine.openingFailed(id, now: bench.now)
            guard case .arm(let time)? = actions.last else {
                Issue.record("expected a timer, got \(actions)")
                return
            }
            waits.append(bench.now.duration(to: time))
            bench.now = time
            #expect(bench.machine.timerFired(now: bench.now).contains(.open(id + 1)))
        }
        #expect(zip(waits, waits.dropFirst()).allSatisfy { $0 <= $1 })
        #expect(waits[0] <= .milliseconds(50))
        #expect(waits[7] <= .seconds(2))
        #expect(waits[7] > .milliseconds(900))
    }

    @Test("While a connection is in use, a failed attempt lets the others wait for it")
    func partialOutage() {
        var bench = Bench(capacity: 2)
        bench.lease(1)
        _ = bench.acquire(1)
        let failed = bench.machine.openingFailed(2, now: bench.now)
        #expect(failed.allSatisfy { if case .fail = $0 { false } else { true } })
        #expect(bench.machine.release(1, reusable: true, now: bench.now) == [.serve(1, 1)])
    }

    @Test("A connection past its lifetime is closed when it comes back, or when it is idle and the pool is maintained")
    func lifetime() {
        var bench = Bench(capacity: 2, lifetime: .seconds(60))
        _ = bench.machine.maintain(now: bench.now)
        _ = bench.machine.opened(1, now: bench.now)
        #expect(bench.acquire(1) == .leased(1, idleFor: .zero))
        bench.now += .seconds(61)
        // One that is in use is left alone; the replacement is opened once it is gone.
        #expect(!bench.machine.timerFired(now: bench.now).contains(.close(1)))
        #expect(bench.machine.release(1, reusable: true, now: bench.now) == [.close(1), .open(2)])
        _ = bench.machine.opened(2, now: bench.now)
        bench.now += .seconds(61)
        let fired = bench.machine.timerFired(now: bench.now)
        #expect(fired.prefix(2) == [.close(2), .open(3)])
    }

    @Test("A drain admits nobody, serves those who wait, and ends with the last release")
    func drain() {
        var bench = Bench(capacity: 2)
        bench.lease(2)
        _ = bench.acquire(1)
        #expect(bench.machine.drain() == [])
        #expect(bench.acquire(2) == .refused(.closed))
        #expect(bench.machine.release(1, reusable: true, now: bench.now) == [.serve(1, 1)])
        #expect(bench.machine.release(1, reusable: true, now: bench.now) == [.close(1)])
        #expect(bench.machine.release(2, reusable: true, now: bench.now) == [.close(2), .drained])
    }

    @Test("Closing fails those who wait; what is opened or released afterwards is closed")
    func close() {
        var bench = Bench(capacity: 2)
        bench.lease(1)
        _ = bench.acquire(1)
        #expect(bench.machine.close() == [.fail(1, .closed), .drained])
        #expect(bench.machine.opened(2, now: bench.now) == [.close(2)])
        #expect(bench.machine.release(1, reusable: true, now: bench.now).first == .close(1))
        #expect(bench.acquire(2) == .refused(.closed))
    }

    @Test("Whatever happens in whatever order, the bounds hold and every waiter gets exactly one answer")
    func randomised() {
        for seed in UInt64(1)...200 {
            var random = SeededGenerator(state: seed)
            var bench = Bench(capacity: 3, waiterLimit: 5, lifetime: .seconds(5))
            var model = PoolModel()
            if Bool.random(using: &random) { model.take(bench.machine.maintain(now: bench.now)) }
            for step in UInt64(1)...300 {
                bench.now += .milliseconds(Int.random(in: 0...120, using: &random))
                switch Int.random(in: 0..<10, using: &random) {
                case 0...3:
                    let acquisition = bench.acquire(
                        step, within: .milliseconds(Int.random(in: 1...2_000, using: &random)))
                    model.asked(step, acquisition)
                case 4, 5:
                    guard let id = model.opening.randomElement(using: &random) else { continue }
                    model.opening.remove(id)
                    let succeeds = Int.random(in: 0..<4, using: &random) > 0
                    model.take(
                        succeeds
                            ? bench.machine.opened(id, now: bench.now) : bench.machine.openingFailed(id, now: bench.now)
                    )
                case 6, 7:
                    guard let id = model.leased.randomElement(using: &random) else { continue }
                    model.leased.remove(id)
                    let reusable = Int.random(in: 0..<4, using: &random) > 0
                    model.take(bench.machine.release(id, reusable: reusable, now: bench.now))
                case 8:
                    guard let waiter = model.waiting.randomElement(using: &random) else { continue }
                    model.take(bench.machine.cancel(waiter))
                default:
                    guard let timer = model.timer, timer <= bench.now else { continue }
                    model.timer = nil
                    model.take(bench.machine.timerFired(now: bench.now))
                }
                #expect(bench.machine.connectionCount <= 3)
                #expect(bench.machine.waiterCount == model.waiting.count)
                #expect(bench.machine.leasedCount == model.leased.count)
                #expect(model.waiting.isEmpty || model.timer != nil, "nobody would ever wake the waiters")
            }
            model.take(bench.machine.close())
            #expect(model.waiting.isEmpty)
            #expect(model.mistakes.isEmpty, "\(model.mistakes)")
        }
    }
}

/// What a pool's caller believes after the actions it was told to take.
private struct PoolModel {
    var opening: Set<UInt64> = []
    var leased: Set<UInt64> = []
    var waiting: Set<UInt64> = []
    var timer: ContinuousClock.Instant?
    var mistakes: [String] = []

    mutating func asked(_ waiter: UInt64, _ acquisition: PoolStateMachine.Acquisition) {
        switch acquisition {
        case .leased(let id, _):
            if !leased.insert(id).inserted { mistakes.append("connection \(id) leased twice") }
        case .waiting(let actions):
            waiting.insert(waiter)
            take(actions)
        case .refused: break
        }
    }

    mutating func take(_ actions: [PoolStateMachine.Action]) {
        for action in actions {
            switch action {
            case .open(let id): opening.insert(id)
            case .close(let id): if leased.contains(id) { mistakes.append("connection \(id) closed in use") }
            case .serve(let waiter, let id):
                if waiting.remove(waiter) == nil { mistakes.append("waiter \(waiter) served twice") }
                if !leased.insert(id).inserted { mistakes.append("connection \(id) leased twice") }
            case .fail(let waiter, _):
                if waiting.remove(waiter) == nil { mistakes.append("waiter \(waiter) failed twice") }
            case .arm(let time): timer = time
            case .drained: break
            }
        }
    }
}

/// SplitMix64.
private struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
