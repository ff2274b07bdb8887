import ConnectionKit
import Foundation
import MicroMiddleware
import Testing

@Suite("Single flight")
struct SingleFlightTests {
    struct Broken: Error, Equatable {}

    private func soon() -> Deadline { .after(.seconds(5)) }

    @Test("Of a hundred that ask at once one does the work, and all get its result")
    func once() async throws {
        let flight = SingleFlight<Int>()
        let works = Counter()
        let results = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<100 {
                group.addTask {
                    try await flight.run("key", deadline: soon()) {
                        works.increment()
                        try await Task.sleep(for: .milliseconds(100))
                        return 7
                    }
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(results == Array(repeating: 7, count: 100))
        #expect(works.value == 1)
        #expect(flight.count == 0)
    }

    @Test("A failure is shared; the next one tries again")
    func failure() async throws {
        let flight = SingleFlight<Int>()
        await #expect(throws: Broken.self) { try await flight.run("key", deadline: soon()) { throw Broken() } }
        #expect(try await flight.run("key", deadline: soon()) { 1 } == 1)
    }

    @Test("Who waits does not suffer from the cancellation of who works, nor waits past its own deadline")
    func leaderLeaves() async throws {
        let flight = SingleFlight<Int>()
        let journal = Journal()
        let leader = Task {
            try await flight.run("key", deadline: soon()) {
                journal.note("works")
                try await Task.sleep(for: .seconds(60))
                return 1
            }
        }
        try await journal.wait(for: "works")
        await #expect(throws: SingleFlightTimeout.self) {
            try await flight.run("key", deadline: .after(.milliseconds(20))) { 2 }
        }
        async let follower = flight.run("key", deadline: soon()) { 3 }
        try await Task.sleep(for: .milliseconds(20))
        leader.cancel()
        let result = try await follower
        #expect(result == 3)
    }
}
