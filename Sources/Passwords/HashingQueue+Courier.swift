import Foundation

extension HashingQueue {
    /// Tells whoever waits what came of it, on a thread of its own.
    ///
    /// To resume a task can make Swift's runtime start another thread for it, and a thread inherits the niceness of the one
    /// that starts it (sched(7)), which it cannot get rid of without a privilege: were the hashing threads to resume the
    /// tasks themselves, sooner or later requests of every kind would run as if they were hashes.
    final class Courier: @unchecked Sendable {
        typealias Answer = (
            continuation: HashingQueue.Core.Continuation, result: Result<PasswordHashingOutcome, PasswordHashingError>
        )

        private let condition = NSCondition()
        private var answers: [Answer] = []
        private var senders: Int

        /// - Parameter senders: how many threads will ``leave()`` before this one ends.
        init(senders: Int) {
            self.senders = senders
            let thread = Thread { self.deliver() }
            thread.name = "hash-answers"
            thread.stackSize = 512 * 1_024
            thread.start()
        }

        func send(_ new: [Answer]) {
            guard !new.isEmpty else { return }
            condition.withLock {
                answers += new
                condition.signal()
            }
        }

        /// A hashing thread has ended.
        func leave() {
            condition.withLock {
                senders -= 1
                condition.signal()
            }
        }

        private func deliver() {
            while true {
                condition.lock()
                while answers.isEmpty, senders > 0 { condition.wait() }
                let taken = answers
                answers.removeAll(keepingCapacity: true)
                condition.unlock()
                guard !taken.isEmpty else { return }
                for (continuation, result) in taken { continuation.resume(returning: result) }
            }
        }
    }
}
