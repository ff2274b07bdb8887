import ConnectionKit
import Testing

@Suite struct BackoffTests {
    @Test("The wait doubles up to the limit, and jitter takes away at most half of it")
    func doubles() {
        for _ in 0..<100 {
            var backoff = Backoff(base: .milliseconds(100), limit: .milliseconds(500))
            for milliseconds in [100, 200, 400, 500, 500] {
                let wait = backoff.next()
                #expect(wait >= .milliseconds(milliseconds) / 2 && wait <= .milliseconds(milliseconds))
            }
            backoff.reset()
            #expect(backoff.next() <= .milliseconds(100))
        }
    }

    @Test("A server that is away for a very long time does not overflow the wait")
    func limit() {
        var backoff = Backoff()
        for _ in 0..<1_000 { #expect(backoff.next() <= backoff.limit) }
    }
}

@Suite struct ReplySlotTests {
    private struct Late: Error {}

    @Test("The first answer wins, before and after somebody waits")
    func first() async {
        let early = ReplySlot<Int, Late>()
        #expect(early.resolve(.success(1)))
        #expect(!early.resolve(.success(2)))
        #expect((try? await early.value().get()) == 1)
        let waiting = ReplySlot<Int, Late>()
        async let answer = waiting.value()
        #expect(waiting.resolve(.success(3)))
        #expect((try? await answer.get()) == 3)
        #expect(waiting.isResolved)
    }

    @Test("A wait ends by its deadline, also when the waiting task is cancelled already")
    func deadline() async {
        let slot = ReplySlot<Int, Late>()
        let answer = await slot.value(until: .after(.milliseconds(20))) { Late() }
        #expect(throws: Late.self) { try answer.get() }
        let answered = ReplySlot<Int, Late>()
        answered.resolve(.success(1))
        let cancelled = Task { await answered.value(until: .after(.seconds(30))) { Late() } }
        cancelled.cancel()
        #expect((try? await cancelled.value.get()) == 1)
    }
}
