import ConnectionKit
import Foundation

extension HashingQueue {
    final class Entry: @unchecked Sendable {
        let work: Work
        let deadline: Deadline
        /// Set once, under the queue's lock, before the entry is in the queue; taken once, under the same lock.
        var continuation: CheckedContinuation<Result<PasswordHashingOutcome, PasswordHashingError>, Never>?

        init(work: @escaping Work, deadline: Deadline) {
            self.work = work
            self.deadline = deadline
        }
    }

    /// What the threads share; they keep it, and not the queue, alive.
    final class Core: @unchecked Sendable {
        let condition = NSCondition()
        let courier: Courier
        var waiting: [ObjectIdentifier: Entry] = [:]
        var order: [Entry] = []
        var head = 0
        var running = 0
        var isClosed = false
        var lentCount = 0
        /// A moving average of how long one hash takes, in seconds.
        var hashSeconds = 0.015

        init(courier: Courier) { self.courier = courier }
    }
}

extension HashingQueue.Core {
    typealias Continuation = CheckedContinuation<
        Result<PasswordHashingOutcome, PasswordHashingError>, Never
    >

    /// Takes an entry out, if it still waits: whoever gets its continuation answers it. Called under the lock.
    func remove(_ entry: HashingQueue.Entry) -> Continuation? {
        guard waiting.removeValue(forKey: ObjectIdentifier(entry)) != nil else { return nil }
        defer { entry.continuation = nil }
        return entry.continuation
    }

    /// The next entry to hash, waiting for one; nil when the queue is closed and empty.
    ///
    /// - Parameter onIdle: called after a second with nothing to hash.
    func next(onIdle: () -> Void) -> (HashingQueue.Entry, Continuation)? {
        while true {
            condition.lock()
            while waiting.isEmpty, !isClosed {
                order.removeAll(keepingCapacity: true)
                head = 0
                if !condition.wait(until: Date() + 1) {
                    onIdle()
                    while waiting.isEmpty, !isClosed { condition.wait() }
                }
            }
            let late = waiting.values.filter(\.deadline.hasPassed).compactMap { remove($0) }
            var found: (HashingQueue.Entry, Continuation)?
            while found == nil, head < order.count {
                let entry = order[head]
                head += 1
                if let continuation = remove(entry) { found = (entry, continuation) }
            }
            if head > 1_024 {
                order.removeFirst(head)
                head = 0
            }
            if found != nil { running += 1 }
            let isOver = found == nil && isClosed
            condition.unlock()
            courier.send(late.map { ($0, .failure(.deadlineExceeded)) })
            if let found { return found }
            if isOver { return nil }
        }
    }

    func finished(in duration: Duration, inLentMemory: Bool) {
        let (seconds, attoseconds) = duration.components
        condition.withLock {
            running -= 1
            if inLentMemory { lentCount += 1 }
            hashSeconds += ((Double(seconds) + Double(attoseconds) / 1e18) - hashSeconds) / 16
        }
    }
}
