import IdentityService
import Synchronization
import Testing

@Suite("Answers at a steady pace")
struct SteadyPaceTests {
    struct Refused: Error {}

    /// A clock that goes on only while somebody works or sleeps.
    final class Time: Sendable {
        private let passed = Mutex(ContinuousClock.now)
        var now: ContinuousClock.Instant { passed.withLock { $0 } }
        func pass(_ duration: Duration) { passed.withLock { $0 += duration } }
    }

    @Test(
        "leave at the end of the step in which the work was done",
        arguments: [(0, 50), (1, 50), (49, 50), (50, 100), (51, 100), (120, 150)])
    func steps(work: Int, answer: Int) async throws {
        let time = Time()
        let pace = SteadyPace(step: .milliseconds(50), now: { time.now }, sleep: { time.pass($0) })
        let start = time.now
        let result = try await pace {
            time.pass(.milliseconds(work))
            return 7
        }
        #expect(result == 7)
        #expect(abs((start.duration(to: time.now) - .milliseconds(answer)) / .milliseconds(1)) < 0.001)
    }

    @Test("are no earlier when they are refusals")
    func refusals() async throws {
        let time = Time()
        let pace = SteadyPace(step: .milliseconds(50), now: { time.now }, sleep: { time.pass($0) })
        let start = time.now
        await #expect(throws: Refused.self) {
            try await pace {
                time.pass(.milliseconds(3))
                throw Refused()
            }
        }
        #expect(abs((start.duration(to: time.now) - .milliseconds(50)) / .milliseconds(1)) < 0.001)
    }
}
