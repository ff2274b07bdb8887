import Foundation
import Synchronization

/// A serial executor that owns one operating-system thread.
///
/// An actor on this executor may block in `poll(2)` without taking a thread from Swift's cooperative pool: that is how
/// a connection actor drives a C client library. Jobs run one at a time, in the order in which they were enqueued.
public final class ThreadExecutor: SerialExecutor {
    private let queue = JobQueue()

    /// Starts the thread. `name` is what debuggers and `top -H` show; Linux keeps its first 15 bytes.
    public init(name: String) {
        let queue = self.queue
        let unowned = UnownedSerialExecutor(ordinary: self)
        let thread = Thread {
            Self.blockBrokenPipeSignal()
            queue.drain(on: unowned)
        }
        thread.name = String(name.prefix(15))
        thread.stackSize = 512 * 1_024
        thread.start()
    }

    deinit {
        queue.close()
    }

    /// A C client that writes to a closed socket must get `EPIPE`, not end the process: hiredis calls plain `write(2)`.
    private static func blockBrokenPipeSignal() {
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGPIPE)
        pthread_sigmask(SIG_BLOCK, &signals, nil)
    }

    public func enqueue(_ job: consuming ExecutorJob) {
        // The closure keeps the executor alive until its last job has run.
        let unowned = UnownedJob(job)
        queue.append(Job(work: unowned, owner: self))
    }

    public func asUnownedSerialExecutor() -> UnownedSerialExecutor {
        UnownedSerialExecutor(ordinary: self)
    }
}

extension ThreadExecutor {
    fileprivate struct Job {
        let work: UnownedJob
        let owner: ThreadExecutor
    }

    /// The jobs that wait for the thread, and the thread's way to wait for jobs.
    fileprivate final class JobQueue: @unchecked Sendable {
        private let condition = NSCondition()
        private var jobs: [Job] = []
        private var isClosed = false
        private var isWaiting = false

        func append(_ job: Job) {
            condition.lock()
            jobs.append(job)
            let hasToWake = isWaiting
            isWaiting = false
            condition.unlock()
            // After unlocking, so that the woken thread does not run into the lock at once; and only when it sleeps, since
            // each wake-up is a system call.
            if hasToWake { condition.signal() }
        }

        func close() {
            condition.lock()
            isClosed = true
            condition.signal()
            condition.unlock()
        }

        func drain(on executor: UnownedSerialExecutor) {
            var batch: [Job] = []
            while true {
                condition.lock()
                while jobs.isEmpty, !isClosed {
                    isWaiting = true
                    condition.wait()
                }
                isWaiting = false
                if jobs.isEmpty {
                    condition.unlock()
                    return
                }
                swap(&batch, &jobs)
                condition.unlock()
                for job in batch { job.work.runSynchronously(on: executor) }
                batch.removeAll(keepingCapacity: true)
            }
        }
    }
}
