import Contracts
import Gateway
import Testing

@Suite("The limit of requests under way")
struct ConcurrencyLimitTests {
    /// A window in which so many requests were under way at once and each took so long.
    private static func window(
        _ limit: inout ConcurrencyLimit, inFlight: Int, milliseconds: Double, _ priority: RequestPriority = .verify,
        count: Int = 50
    ) {
        for _ in 0..<count {
            _ = limit.admits(priority, inFlight: inFlight)
            limit.record(nanoseconds: Int64(milliseconds * 1_000_000), priority: priority)
        }
        limit.endWindow()
    }

    @Test("It falls while answers take longer than they use to, and not below its floor")
    func falls() {
        var limit = ConcurrencyLimit(maximum: 512)
        for _ in 0..<20 { Self.window(&limit, inFlight: 20, milliseconds: 2) }
        let before = limit.limit
        #expect(before == 256)
        for _ in 0..<10 { Self.window(&limit, inFlight: limit.limit, milliseconds: 40) }
        #expect(limit.limit < before / 2)
        for _ in 0..<100 { Self.window(&limit, inFlight: limit.limit, milliseconds: 40) }
        #expect(limit.limit == Int(ConcurrencyLimit.minimumPerReplica))
    }

    @Test("It rises again when answers come as fast as before, whether it is used or not")
    func recovers() {
        for inFlight in [1, 1_000] {
            var limit = ConcurrencyLimit(maximum: 512)
            for _ in 0..<20 { Self.window(&limit, inFlight: 20, milliseconds: 2) }
            for _ in 0..<100 { Self.window(&limit, inFlight: limit.limit, milliseconds: 40) }
            #expect(limit.limit == 16)
            for _ in 0..<200 { Self.window(&limit, inFlight: min(inFlight, limit.limit), milliseconds: 2) }
            #expect(limit.limit > 128)
        }
    }

    @Test("An overload of a minute does not become what is usual; a service that is slower for good does")
    func usual() {
        var limit = ConcurrencyLimit(maximum: 512)
        for _ in 0..<20 { Self.window(&limit, inFlight: 20, milliseconds: 2) }
        for _ in 0..<600 { Self.window(&limit, inFlight: limit.limit, milliseconds: 40) }
        #expect(limit.limit < 40)
        // Ten minutes later, with little to do.
        for _ in 0..<6_000 { Self.window(&limit, inFlight: 4, milliseconds: 40) }
        #expect(limit.limit == 256)
        for _ in 0..<20 { Self.window(&limit, inFlight: limit.limit, milliseconds: 40) }
        #expect(limit.limit >= 256)
    }

    @Test("Requests that take long by nature do not count as slow beside quick ones")
    func mixed() {
        var limit = ConcurrencyLimit(maximum: 512)
        for _ in 0..<20 {
            Self.window(&limit, inFlight: 20, milliseconds: 1)
            Self.window(&limit, inFlight: 20, milliseconds: 60, .login)
        }
        for _ in 0..<20 { Self.window(&limit, inFlight: limit.limit, milliseconds: 60, .login) }
        #expect(limit.limit >= 256)
    }

    @Test("A limit that is not reached is not changed by slow answers, nor any by a few of them")
    func noise() {
        var limit = ConcurrencyLimit(maximum: 512)
        for _ in 0..<20 { Self.window(&limit, inFlight: 20, milliseconds: 2) }
        for _ in 0..<50 { Self.window(&limit, inFlight: 20, milliseconds: 500) }
        Self.window(&limit, inFlight: 256, milliseconds: 500, count: 9)
        #expect(limit.limit == 256)
    }

    @Test("The lower the priority, the earlier it is refused")
    func order() {
        var limit = ConcurrencyLimit(maximum: 100)
        let last = RequestPriority.allCases.sorted().map { priority in
            (0...100).first { !limit.admits(priority, inFlight: $0) }
        }
        #expect(last == [70, 80, 90, 100])
        // One after the other is refused, the highest never before a lower one.
        for inFlight in 0...100 {
            let admitted = RequestPriority.allCases.sorted().map { limit.admits($0, inFlight: inFlight) }
            #expect(admitted == admitted.sorted { !$0 && $1 })
        }
    }
}
