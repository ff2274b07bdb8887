import MicroMiddleware
import Testing

@Suite("A process that was stopped")
struct StallDetectorTests {
    let start = ContinuousClock.now

    @Test("A missed pulse is noticed at once, and for a moment after the next one; a late one is not")
    func noticed() {
        let detector = StallDetector()
        detector.pulse(at: start)
        #expect(!detector.hasJustResumed(at: start + .milliseconds(999)))
        detector.pulse(at: start + .milliseconds(999))
        #expect(!detector.hasJustResumed(at: start + .milliseconds(1_100)))
        let resumed = start + .seconds(20)
        #expect(detector.hasJustResumed(at: resumed))
        detector.pulse(at: resumed + .milliseconds(5))
        #expect(detector.hasJustResumed(at: resumed + .milliseconds(250)))
        detector.pulse(at: resumed + .milliseconds(105))
        #expect(!detector.hasJustResumed(at: resumed + .milliseconds(260)))
    }

    @Test("Where no pulse runs nothing is suspected")
    func silent() {
        #expect(!StallDetector().hasJustResumed(at: start + .seconds(100)))
    }
}
