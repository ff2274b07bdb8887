import Bench
import Testing

@Suite("What the warm-up's database figures are compared with")
struct WarmupResultTests {
    private func result(steady: Double, highest: Double, isHeld: Bool = true) -> BenchResult {
        WarmupBench.databaseResult("identity", "with the ramp", steady_ms: steady, highest_ms: highest, isHeld: isHeld)
    }

    @Test("A steady state of milliseconds is what twice is twice of")
    func plain() {
        let good = result(steady: 3, highest: 6)
        #expect(good.passes && good.ratio == 2 && good.name.hasSuffix("steady state 3.0 ms"))
        #expect(good.goal == "≤ 2.0 × steady state")
        #expect(!result(steady: 3, highest: 6.3).passes)
        // Passed while everything below five milliseconds counted as five.
        #expect(!result(steady: 2, highest: 9).passes)
    }

    @Test("One below a millisecond counts as one, and the name and the goal say so; the ratio is the plain one")
    func floor() {
        let noisy = result(steady: 0.4, highest: 1.8)
        #expect(noisy.passes && noisy.ratio == 1.8 / 0.4)
        #expect(noisy.name.hasSuffix("steady state 0.4 ms, which counts as 1 ms") && noisy.goal == "≤ 2.0 × 1 ms")
        #expect(!result(steady: 0.4, highest: 2.1).passes)
    }

    @Test("Without a steady state nothing is met, and without a goal nothing is missed")
    func none() {
        #expect(!result(steady: 0, highest: 0).passes && result(steady: 0, highest: 0).ratio == nil)
        let free = result(steady: 0.4, highest: 30, isHeld: false)
        #expect(free.passes && free.goal == nil && free.name.hasSuffix("steady state 0.4 ms"))
    }
}
