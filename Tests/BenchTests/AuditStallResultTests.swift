import Bench
import Recovery
import Testing

@Suite("What a stalled audit database is held to")
struct AuditStallResultTests {
    private func results(stall_s: Int, stalled_ms: Double = 11, failed: Int = 0, drain_s: Int = 119) -> [BenchResult] {
        AuditStall.results(
            AuditStall.Outcome(
                usual_ms: 10, stalled_ms: stalled_ms, failed: failed, requests: 500, drain: .seconds(drain_s)),
            stall_s: stall_s)
    }

    @Test("A shorter stall than is promised says so with the result, and what to measure instead")
    func promise() {
        let short = results(stall_s: 60).map(\.description)
        #expect(short.first?.contains("stalled for 60 s (promised for 300 s: --stall 300): 11.0 ms") == true)
        for stall_s in [300, 600] {
            let whole = results(stall_s: stall_s).map(\.description)
            #expect(whole.first?.contains("stalled for \(stall_s) s: 11.0 ms") == true)
            #expect(!whole.contains { $0.contains("promised") })
        }
    }

    @Test("A tenth more, every request answered, and two minutes are the goals")
    func goals() {
        #expect(results(stall_s: 300).map(\.passes) == [true, true, true])
        let missed = results(stall_s: 300, stalled_ms: 11.1, failed: 1, drain_s: 120)
        #expect(missed.map(\.passes) == [false, false, false])
    }
}
