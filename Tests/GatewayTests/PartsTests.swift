import Gateway
import NIOCore
import Testing

@Suite("The gateway's small parts")
struct PartsTests {
    @Test(
        "The clock writes both of its forms",
        arguments: [
            (0, "1970-01-01T00:00:00Z", "Thu, 01 Jan 1970 00:00:00 GMT"),
            (951_782_400, "2000-02-29T00:00:00Z", "Tue, 29 Feb 2000 00:00:00 GMT"),
            (1_798_761_599, "2026-12-31T23:59:59Z", "Thu, 31 Dec 2026 23:59:59 GMT"),
        ])
    func clock(seconds: Int, timestamp: String, httpDate: String) {
        var clock = LoopClock()
        clock.set(secondsSince1970: seconds)
        #expect(clock.timestamp == timestamp)
        #expect(clock.httpDate == httpDate)
    }

    @Test("A breaker opens after three failures, tries once after a pause, and doubles the pause when that fails")
    func breaker() {
        var breaker = Breaker()
        var now = NIODeadline.uptimeNanoseconds(1_000_000_000)
        for _ in 0..<Breaker.threshold {
            let admitted = breaker.admits(now: now)
            #expect(admitted)
            breaker.failed(now: now)
        }
        let atOnce = breaker.admits(now: now)
        #expect(!atOnce)
        now = now + Breaker.firstPause
        let trial = breaker.admits(now: now)
        let second = breaker.admits(now: now)
        #expect(trial && !second, "one trial at a time")
        breaker.failed(now: now)
        let tooEarly = breaker.admits(now: now + Breaker.firstPause)
        #expect(!tooEarly)
        let next = breaker.admits(now: now + Breaker.firstPause * 2)
        #expect(next)
        breaker.succeeded()
        #expect(breaker.isClosed)
    }

    @Test("Long after the pause everybody is let through, and one failure more opens it again")
    func stale() {
        var breaker = Breaker()
        let start = NIODeadline.uptimeNanoseconds(1_000_000_000)
        for _ in 0..<Breaker.threshold { breaker.failed(now: start) }
        let later = start + Breaker.firstPause + Breaker.staleness
        for _ in 0..<3 {
            let admitted = breaker.admits(now: later)
            #expect(admitted)
        }
        breaker.failed(now: later)
        let refused = breaker.admits(now: later)
        #expect(!refused && !breaker.isClosed)
    }

    @Test("A trial that tells nothing makes the next request the trial")
    func abandonedTrial() {
        var breaker = Breaker()
        let start = NIODeadline.uptimeNanoseconds(1_000_000_000)
        for _ in 0..<Breaker.threshold { breaker.failed(now: start) }
        let later = start + Breaker.firstPause
        let first = breaker.admits(now: later)
        breaker.abandoned(now: later)
        let second = breaker.admits(now: later)
        #expect(first && second)
    }

    @Test("An origin is allowed by its exact name, or with any port where the list says so")
    func origins() {
        let policy = CORSPolicy(origins: ["https://app.example", "http://localhost:*"])
        for origin in ["https://app.example", "http://localhost:3000", "http://localhost"] {
            #expect(policy.allows(origin))
        }
        for origin in [
            "https://app.example.evil.test", "http://app.example", "http://localhost.evil.test", "null",
            "http://localhost:3000.evil.test", "http://localhost:", "http://localhost:123456", "",
        ] {
            #expect(!policy.allows(origin))
        }
    }

    @Test("An address of a service is read strictly")
    func endpoints() throws {
        #expect(try UpstreamEndpoint(name: "a", url: "http://127.0.0.1:80/").port == 80)
        #expect(try UpstreamEndpoint(name: "a", url: "http://[::1]:80").host == "::1")
        for url in ["https://a:1", "http://a", "http://:1", "http://a:0", "http://a:x", "http://a/b:1", ""] {
            #expect(throws: RouteError.self) { try UpstreamEndpoint(name: "a", url: url) }
        }
    }
}
