import Foundation
import MicroMiddleware
import Testing

/// A ramp on a manual clock, in seconds since its start.
private final class ManualRamp {
    var ramp = WarmupRamp()
    var plan = WarmupPlan.standard
    let begin = Date(timeIntervalSince1970: 1_800_000_000)

    init(started: Bool = true) {
        if started { ramp.start(reason: "cache generation gone", at: begin) }
    }

    func observe(_ load: WarmupLoad, at seconds: Double) -> Int {
        ramp.observe(load, plan: plan, at: begin + seconds)
        return ramp.share(plan)
    }

    /// Observes every five seconds, both ends included.
    func observe(_ load: WarmupLoad, from: Int, through: Int) -> Int {
        for second in stride(from: from, through: through, by: 5) { _ = observe(load, at: Double(second)) }
        return ramp.share(plan)
    }
}

@Suite("The warm-up ramp")
struct WarmupRampTests {
    @Test("A service that never lost anything admits everybody, whatever the load")
    func idle() {
        let held = ManualRamp(started: false)
        for load in WarmupLoad.allCases { #expect(held.observe(load, at: 3_600) == 100) }
        #expect(held.ramp == WarmupRamp())
    }

    @Test("20 % for five minutes, 50 % until minute 15, then everybody, and watched for five minutes more")
    func article() {
        let held = ManualRamp()
        #expect(held.observe(.normal, at: 0) == 20)
        #expect(held.observe(.normal, at: 299.9) == 20)
        #expect(held.observe(.normal, at: 300) == 50)
        #expect(held.observe(.normal, at: 899.9) == 50)
        #expect(held.observe(.normal, at: 900) == 100)
        #expect(held.ramp.stage == .watching)
        #expect(held.observe(.normal, at: 1_199.9) == 100)
        #expect(held.ramp.stage == .watching)
        #expect(held.observe(.normal, at: 1_200) == 100)
        #expect(held.ramp.stage == .idle)
    }

    @Test("It holds while the load is high or not known, and goes on when it is normal", arguments: [300.0, 900.0])
    func holds(end: Double) {
        for load in [WarmupLoad.high, .unknown] {
            let held = ManualRamp()
            if end > 300 { _ = held.observe(.normal, at: 300) }
            let before = held.ramp.share(held.plan)
            #expect(held.observe(load, at: end) == before)
            #expect(held.observe(load, at: end + 25) == before)
            #expect(held.observe(.normal, at: end + 26) > before)
        }
    }

    @Test("A database that does not answer for a day keeps the first share")
    func unknownForADay() {
        let held = ManualRamp()
        #expect(held.observe(.unknown, from: 0, through: 86_400) == 20)
        #expect(held.ramp.stage == .first)
    }

    @Test("High for thirty seconds without a pause, the second share steps back and counts anew")
    func stepsBack() {
        let held = ManualRamp()
        #expect(held.observe(.normal, at: 300) == 50)
        #expect(held.observe(.high, at: 400) == 50)
        #expect(held.observe(.high, at: 429.9) == 50)
        #expect(held.observe(.high, at: 430) == 20)
        #expect(held.observe(.normal, at: 729.9) == 20)
        #expect(held.observe(.normal, at: 730) == 50)
        #expect(held.observe(.normal, at: 1_329.9) == 50)
        #expect(held.observe(.normal, at: 1_330) == 100)
    }

    @Test("High load with a pause in it does not step back")
    func interrupted() {
        let held = ManualRamp()
        #expect(held.observe(.normal, at: 300) == 50)
        for start in stride(from: 310.0, to: 800, by: 30) {
            #expect(held.observe(.high, at: start) == 50)
            #expect(held.observe(.high, at: start + 25) == 50)
            #expect(held.observe(.normal, at: start + 26) == 50)
        }
    }

    @Test("A relapse after everybody was admitted goes back to the second share, and further down if it lasts")
    func relapse() {
        let held = ManualRamp()
        _ = held.observe(.normal, at: 300)
        #expect(held.observe(.normal, at: 900) == 100)
        #expect(held.observe(.high, from: 1_000, through: 1_030) == 50)
        #expect(held.observe(.high, from: 1_035, through: 1_065) == 20)
        #expect(held.observe(.high, from: 1_070, through: 2_000) == 20)
    }

    @Test("However late it is asked, it goes up one stage at a time")
    func oneStageAtATime() {
        let held = ManualRamp()
        #expect(held.observe(.normal, at: 86_400) == 50)
        #expect(held.observe(.normal, at: 86_401) == 50)
        #expect(held.observe(.normal, at: 86_400 + 600) == 100)
    }

    @Test("A clock that is set back an hour neither ends a stage nor makes it an hour longer")
    func clockSetBack() {
        let held = ManualRamp()
        #expect(held.observe(.normal, at: -3_600) == 20)
        #expect(held.observe(.normal, at: -3_600 + 299) == 20)
        #expect(held.observe(.normal, at: -3_600 + 300) == 50)
    }

    @Test("A second start under way changes nothing; one after everybody was admitted begins anew")
    func secondStart() {
        let held = ManualRamp()
        _ = held.observe(.normal, at: 300)
        let before = held.ramp
        let restarted = held.ramp.start(reason: "again", at: held.begin + 310)
        #expect(!restarted)
        #expect(held.ramp == before)
        _ = held.observe(.normal, at: 900)
        let began = held.ramp.start(reason: "database restored", at: held.begin + 950)
        #expect(began)
        #expect(held.ramp.share(held.plan) == 20)
        #expect(held.ramp.reason == "database restored")
    }

    @Test("Skipping admits everybody at once and for good")
    func skip() {
        let held = ManualRamp()
        let skipped = held.ramp.skip(at: held.begin + 1)
        #expect(skipped)
        #expect(held.observe(.high, from: 5, through: 600) == 100)
        let again = held.ramp.skip(at: held.begin + 601)
        #expect(!again)
    }

    @Test("It goes on where it was after a restart")
    func survivesARestart() throws {
        let held = ManualRamp()
        _ = held.observe(.normal, at: 300)
        _ = held.observe(.high, at: 310)
        held.ramp = try JSONDecoder().decode(WarmupRamp.self, from: try JSONEncoder().encode(held.ramp))
        #expect(held.observe(.high, at: 339) == 50)
        #expect(held.observe(.high, at: 340) == 20)
    }

    @Test("Shares and times are the plan's, and shares that make no sense are put right")
    func ownPlan() {
        let held = ManualRamp()
        held.plan = WarmupPlan(firstShare: 5, secondShare: 70, firstStage: .seconds(2), secondStage: .seconds(3))
        #expect(held.observe(.normal, at: 1) == 5)
        #expect(held.observe(.normal, at: 2) == 70)
        #expect(held.observe(.normal, at: 5) == 100)
        #expect(WarmupPlan(firstShare: 0, secondShare: 400).firstShare == 1)
        #expect(WarmupPlan(firstShare: 60, secondShare: 40).secondShare == 60)
    }

    @Test("Twice the steady state is normal, more is high, and what cannot be compared is not known")
    func load() {
        let steady = Duration.milliseconds(10)
        #expect(WarmupLoad(p95: .milliseconds(20), steady: steady) == .normal)
        #expect(WarmupLoad(p95: .microseconds(20_001), steady: steady) == .high)
        #expect(WarmupLoad(p95: nil, steady: steady) == .unknown)
        #expect(WarmupLoad(p95: .milliseconds(1), steady: nil) == .unknown)
        #expect(WarmupLoad(p95: .milliseconds(1), steady: .zero) == .unknown)
    }
}
