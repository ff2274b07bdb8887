import ConnectionKit
import Foundation
import Synchronization
import Testing

/// Counts on a thread of its own.
private actor Counter {
    private nonisolated let executor = ThreadExecutor(name: "test-counter")
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }
    private(set) var count = 0
    private(set) var threads: Set<ObjectIdentifier> = []

    func increment() {
        count += 1
        threads.insert(ObjectIdentifier(Thread.current))
    }

    func block(_ wait: SocketWait, until deadline: Deadline) throws -> SocketWait.Outcome {
        try wait.wait(for: .readable, on: -1, until: deadline)
    }
}

@Suite("Threads, doorbells and deadlines")
struct ThreadExecutorTests {
    @Test("Jobs from many tasks all run, on one thread")
    func manyTasks() async {
        let counter = Counter()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<64 {
                group.addTask { for _ in 0..<200 { await counter.increment() } }
            }
        }
        #expect(await counter.count == 64 * 200)
        #expect(await counter.threads.count == 1)
    }

    @Test("An actor that blocks its thread does not keep others from running")
    func blocking() async throws {
        let waits = try (0..<8).map { _ in SocketWait(doorbell: try Doorbell()) }
        let blocked = waits.map { wait in
            let counter = Counter()
            return Task { try await counter.block(wait, until: .after(.seconds(20))) }
        }
        let other = Counter()
        for _ in 0..<100 { await other.increment() }
        #expect(await other.count == 100)
        for wait in waits { wait.doorbell.ring() }
        for task in blocked { #expect(try await task.value == .doorbell) }
    }

    @Test("A wait ends at its deadline, and not before")
    func timeout() async throws {
        let wait = SocketWait(doorbell: try Doorbell())
        let start = ContinuousClock.now
        #expect(try await Counter().block(wait, until: .after(.milliseconds(60))) == .timedOut)
        #expect(start.duration(to: .now) >= .milliseconds(60))
    }

    @Test("Rings before the wait count, and all of them as one")
    func rings() async throws {
        let wait = SocketWait(doorbell: try Doorbell())
        for _ in 0..<100_000 { wait.doorbell.ring() }
        let counter = Counter()
        #expect(try await counter.block(wait, until: .after(.seconds(5))) == .doorbell)
        #expect(try await counter.block(wait, until: .after(.milliseconds(5))) == .timedOut)
    }

    @Test("A deadline only shrinks on its way down")
    func deadlines() {
        let deadline = Deadline.after(.seconds(1))
        #expect(deadline.capped(at: .seconds(5)) == deadline)
        #expect(deadline.capped(at: .milliseconds(10)) < deadline)
        #expect(Deadline.after(.seconds(-1)).remaining == .zero)
        #expect(Deadline.after(.seconds(-1)).remainingMilliseconds == 0)
        #expect(Deadline.after(.seconds(1_000_000_000)).remainingMilliseconds == .max)
    }
}
