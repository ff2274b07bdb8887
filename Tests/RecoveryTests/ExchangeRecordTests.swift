import Recovery
import Testing

@Suite("What a drill makes of several records of one refresh")
struct ExchangeRecordTests {
    /// Records in their order: of the token's generation 5, where nothing else is said.
    private func count(_ records: ExchangeRecord...) -> Int {
        ExchangeRecord.count(records.filter { $0.kind != .undone }, undone: records.filter { $0.kind == .undone })
    }

    private func exchanged(
        _ position: Int64, session: String = "s", generation: Int64? = 5, edition: Int64? = 0
    ) -> ExchangeRecord {
        ExchangeRecord(.exchanged, session: session, generation: generation, edition: edition, position: position)
    }

    private func regained(_ position: Int64, edition: Int64?) -> ExchangeRecord {
        ExchangeRecord(.regained, session: "s", generation: 5, edition: edition, position: position)
    }

    private func undone(_ position: Int64, session: String = "s", generation: Int64? = 5) -> ExchangeRecord {
        ExchangeRecord(.undone, session: session, generation: generation, position: position)
    }

    @Test("One is one, and two are two")
    func plain() {
        #expect(count() == 0)
        #expect(count(exchanged(1)) == 1)
        #expect(count(exchanged(1), exchanged(2)) == 2)
    }

    @Test("One that was taken back and done again is one, however often")
    func doneAgain() {
        #expect(count(exchanged(1), undone(2), exchanged(3)) == 1)
        #expect(count(exchanged(1), undone(2), exchanged(3), undone(4), exchanged(5)) == 1)
    }

    @Test("One that was taken back in the end is one: its owner had the answer")
    func undoneInTheEnd() {
        #expect(count(exchanged(1), undone(2)) == 1)
    }

    @Test("What is taken back accounts for one record, and for none that was there before it")
    func oneToOne() {
        // Each of these passed for one when it was only counted how often something was undone.
        #expect(count(exchanged(1), exchanged(2), undone(3)) == 2)
        #expect(count(exchanged(1), exchanged(2), undone(3), exchanged(4)) == 2)
        #expect(count(undone(1), exchanged(2), exchanged(3)) == 2)
        #expect(count(exchanged(1), undone(2), undone(3), exchanged(4), exchanged(5)) == 2)
    }

    @Test("What is taken back of another token, or of another session, accounts for nothing")
    func others() {
        #expect(count(exchanged(1), undone(2, generation: 6), exchanged(3)) == 2)
        #expect(count(exchanged(1), undone(2, session: "t"), exchanged(3)) == 2)
        #expect(count(exchanged(1), exchanged(2, session: "t")) == 2)
        #expect(count(exchanged(1), undone(2), exchanged(3, generation: 6)) == 2)
    }

    @Test("One in the place of another is one, once for each edition")
    func inItsPlace() {
        #expect(count(exchanged(1), regained(2, edition: 1)) == 1)
        #expect(count(exchanged(1), regained(2, edition: 1), regained(3, edition: 3)) == 1)
        #expect(count(exchanged(1), regained(2, edition: 1), regained(3, edition: 1)) == 2)
        #expect(count(exchanged(1), exchanged(2), regained(3, edition: 1)) == 2)
        #expect(count(regained(1, edition: 1)) == 1)
    }

    @Test("Where records say less than that, they are matched by session and order")
    func less() {
        #expect(count(exchanged(1, generation: nil), undone(2), exchanged(3, generation: nil)) == 1)
        #expect(count(exchanged(1), undone(2, generation: nil), exchanged(3)) == 1)
        #expect(count(exchanged(1, edition: nil), regained(2, edition: 1)) == 1)
        #expect(count(exchanged(1, generation: nil), exchanged(2, generation: nil), undone(3)) == 2)
    }
}
