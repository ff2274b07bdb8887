import CScheduling
import ConnectionKit
import Foundation

/// Threads that hash and the bounded queue before them.
///
/// First come, first served. An entry that was cancelled is answered at once, one whose deadline passed at the latest
/// when a thread next looks, within the time of one hash; neither is hashed.
///
/// The threads give way to every other thread of the machine (on Linux): one hash computes as long as some hundred
/// verifications or refreshes, and those come first when there is not processor enough for all.
final class HashingQueue: Sendable {
    /// The work for one password, run on a hashing thread.
    typealias Work = @Sendable () throws(PasswordHashingError) -> PasswordHashingOutcome

    private let core: Core
    private let threadCount: Int
    private let limit: Int

    /// - Parameter memoryBytes: what one hash needs; each thread keeps that much while there is something to hash.
    init(threads: Int, limit: Int, memoryBytes: Int) {
        threadCount = threads
        self.limit = limit
        core = Core(courier: Courier(senders: threads))
        for number in 1...threads {
            let core = self.core
            let thread = Thread { Self.serve(core, memoryBytes: memoryBytes) }
            thread.name = "hash-\(number)"
            thread.stackSize = 512 * 1_024
            thread.start()
        }
    }

    deinit {
        core.condition.withLock {
            core.isClosed = true
            core.condition.broadcast()
        }
    }

    /// How many passwords wait.
    var count: Int {
        core.condition.withLock { core.waiting.count }
    }

    /// How many hashes ran in memory that was kept from the one before.
    var lentCount: Int {
        core.condition.withLock { core.lentCount }
    }

    /// Queues the work and waits for its outcome.
    func run(deadline: Deadline, _ work: @escaping Work) async throws(PasswordHashingError) -> PasswordHashingOutcome {
        let entry = Entry(work: work, deadline: deadline)
        let core = self.core
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                if let refusal = enqueue(entry, continuation) { continuation.resume(returning: .failure(refusal)) }
            }
        } onCancel: {
            let continuation = core.condition.withLock { core.remove(entry) }
            continuation?.resume(returning: .failure(.cancelled))
        }
        return try result.get()
    }

    private func enqueue(
        _ entry: Entry, _ continuation: CheckedContinuation<Result<PasswordHashingOutcome, PasswordHashingError>, Never>
    ) -> PasswordHashingError? {
        core.condition.withLock {
            guard !Task.isCancelled else { return .cancelled }
            guard !entry.deadline.hasPassed else { return .deadlineExceeded }
            let wait = Double(core.waiting.count) / Double(threadCount) * core.hashSeconds
            guard core.waiting.count < limit, .seconds(wait) < entry.deadline.remaining else {
                return .overloaded(retryAfter: .seconds(max(1, wait.rounded(.up))))
            }
            entry.continuation = continuation
            core.waiting[ObjectIdentifier(entry)] = entry
            core.order.append(entry)
            core.condition.signal()
            return nil
        }
    }

    /// How far the threads give way: `nice(1)`'s scale, on which each step is worth a fifth of the processor's time.
    private static let niceness: CInt = 5
    /// For how long a thread asks to run in one go: longer than a hash takes, so that whatever wakes up meanwhile, a request that
    /// needs a millisecond or the database, runs at once. In the long run it gets as much of the processor as before.
    private static let slice_ns: UInt64 = 100_000_000

    private static func serve(_ core: Core, memoryBytes: Int) {
        _ = scheduling_give_way(niceness, slice_ns)
        var memory = HashingMemory(size: memoryBytes)
        while let (entry, continuation) = core.next(onIdle: { memory.release() }) {
            let start = ContinuousClock.now
            let (result, isUsed) = memory.lend { () -> Result<PasswordHashingOutcome, PasswordHashingError> in
                do throws(PasswordHashingError) { return .success(try entry.work()) } catch { return .failure(error) }
            }
            core.finished(in: ContinuousClock.now - start, inLentMemory: isUsed)
            core.courier.send([(continuation, result)])
        }
        core.courier.leave()
    }
}
