import Bench
import Recovery
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

    @Test("503002 is promised and a token of five minutes is no error; all else is, and what was before counts apart")
    func errors() throws {
        var run = WarmupBench.Run(name: "with the ramp")
        (run.lostAt, run.readyAt) = (20, 22)
        func answered(_ count: Int, at: Double, _ outcome: Sample.Outcome, _ detail: String) {
            run.samples += (0..<count).map { _ in Sample(.login, at: at, outcome: outcome, detail: detail) }
        }
        answered(9, at: 30, .works, "200 ")
        answered(7, at: 30, .refused, "503 warming_up")
        answered(5, at: 30, .degraded, "200 ")
        answered(3, at: 30, .refused, "503 overloaded")
        answered(2, at: 15, .broken, "no answer")
        let bench = WarmupBench(executable: "", repository: "", load: 2) { _ in }
        let results = bench.results(run, WarmupBench.Run(name: "without"))
        func value(_ name: String) throws -> Double {
            try #require(results.first { $0.name.hasPrefix(name) && $0.name.contains("with the ramp") }).value
        }
        #expect(try value("Answered 503002") == 7)
        #expect(try value("Answered with a token of five minutes") == 5)
        #expect(try value("Other errors") == 3)
        #expect(try value("Errors in the ten seconds before the loss") == 2)
        let missed = results.first { $0.name.hasPrefix("Other errors") }
        #expect(missed?.passes == false && missed?.name.contains("2 times the usual load; promised for 3") == true)
    }
}
