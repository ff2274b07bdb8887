import ConnectionKit
import Foundation
import Passwords
import Testing

/// The bounded queue, with hashes that take long enough to wait behind.
@Suite("The hashing queue", .serialized)
struct HashingQueueTests {
    /// About a tenth of a second each.
    static let slow = Argon2idParameters(memoryKiB: 65_536, iterations: 3)
    let deadline = Deadline.after(.seconds(60))

    /// Four times that, for what must be seen before one hash is done.
    static let slower = Argon2idParameters(memoryKiB: 65_536, iterations: 12)

    static func hasher(parameters: Argon2idParameters = slow, queueLimit: Int) throws -> PasswordHasher {
        try PasswordHasherTests.hasher(parameters: parameters, queueLimit: queueLimit)
    }

    static func until(_ condition: () -> Bool) async throws {
        let deadline = Deadline.after(.seconds(20))
        while !condition() {
            try #require(!deadline.hasPassed)
            try await Task.sleep(for: .milliseconds(1))
        }
    }

    @Test("Past its bound the queue refuses at once and says when to come back, and what waits is still hashed")
    func overload() async throws {
        let hasher = try Self.hasher(queueLimit: 2)
        let deadline = self.deadline
        let outcomes = await withTaskGroup(of: PasswordHashingError?.self) { group in
            for _ in 0..<12 {
                group.addTask {
                    do throws(PasswordHashingError) {
                        _ = try await hasher.hash("s3cret", deadline: deadline)
                        return nil
                    } catch { return error }
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        let refusals = outcomes.compactMap { $0 }
        #expect(refusals.count >= 6 && refusals.count < 12)
        for refusal in refusals {
            guard case .overloaded(let retryAfter) = refusal else {
                Issue.record("refused with \(refusal)")
                continue
            }
            #expect(retryAfter >= .seconds(1))
        }
        #expect(hasher.queueLength == 0)
    }

    /// Keeps the one thread of a hasher busy for four hashes, with three of them waiting when `body` begins.
    func whileBusy(_ hasher: PasswordHasher, _ body: () async throws -> Void) async throws {
        let deadline = self.deadline
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<4 { group.addTask { _ = try await hasher.hash("filler", deadline: deadline) } }
            try await Self.until { hasher.queueLength == 3 }
            try await body()
            try await group.waitForAll()
        }
    }

    @Test("A cancelled entry leaves the queue at once, unhashed")
    func cancellation() async throws {
        let hasher = try Self.hasher(parameters: Self.slower, queueLimit: 8)
        let deadline = self.deadline
        try await whileBusy(hasher) {
            let waiting = Task { () -> PasswordHashingError? in
                do throws(PasswordHashingError) {
                    _ = try await hasher.hash("cancelled", deadline: deadline)
                    return nil
                } catch { return error }
            }
            try await Self.until { hasher.queueLength == 4 }
            waiting.cancel()
            #expect(await waiting.value == .cancelled)
            #expect(hasher.queueLength >= 1, "others still wait, so it did not wait for its turn")
        }
        #expect(hasher.queueLength == 0)
    }

    @Test("An entry whose deadline passes in the queue is refused unhashed before its turn, and the queue goes on")
    func deadlines() async throws {
        let hasher = try Self.hasher(parameters: Self.slower, queueLimit: 8)
        try await whileBusy(hasher) {
            await #expect(throws: PasswordHashingError.deadlineExceeded) {
                // Longer than the queue seems at first, shorter than it is.
                try await hasher.hash("late", deadline: .after(.milliseconds(150)))
            }
            #expect(hasher.queueLength >= 1, "others still wait, so it did not wait for its turn")
        }
        await #expect(throws: PasswordHashingError.deadlineExceeded) {
            try await hasher.hash("late", deadline: .after(.zero))
        }
        _ = try await hasher.hash("next", deadline: deadline)
    }

    @Test("A hasher that is gone has answered everything that it had taken in")
    func shutdown() async throws {
        var hasher: PasswordHasher? = try Self.hasher(queueLimit: 8)
        let deadline = self.deadline
        let tasks = try (0..<3).map { _ in
            let hasher = try #require(hasher)
            return Task { try await hasher.hash("s3cret", deadline: deadline) }
        }
        hasher = nil
        for task in tasks { #expect(try await task.value.hasPrefix("$argon2id$")) }
    }

    #if os(Linux)
        /// The niceness of every thread of this process (proc(5), `/proc/pid/stat`, field 19).
        static func nicenesses() throws -> [Int] {
            try FileManager.default.contentsOfDirectory(atPath: "/proc/self/task").compactMap { thread in
                // One that has ended meanwhile has none.
                guard let stat = try? String(contentsOfFile: "/proc/self/task/\(thread)/stat", encoding: .utf8),
                    let end = stat.lastIndex(of: ")")
                else { return nil }
                let fields = stat[end...].split(separator: " ")
                return fields.count > 17 ? Int(fields[17]) : nil
            }
        }

        @Test("Threads that hash give way to all others, and nothing else of the process does")
        func niceness() async throws {
            let hasher = try PasswordHasherTests.hasher(
                parameters: Argon2idParameters(memoryKiB: 8_192, iterations: 1), queueLimit: 100)
            let deadline = self.deadline
            let afterwards = try await withThrowingTaskGroup(of: Int32.self) { group in
                for _ in 0..<60 {
                    group.addTask {
                        _ = try await hasher.hash("s3cret", deadline: deadline)
                        return getpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0)
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(afterwards.count == 60 && afterwards.allSatisfy { $0 == 0 })
            #expect(try Self.nicenesses().contains(5))
            let kernel = ProcessInfo.processInfo.operatingSystemVersion
            if (kernel.majorVersion, kernel.minorVersion) >= (6, 12), let slices = Self.slices() {
                #expect(slices.contains(100_000_000) && slices.contains { $0 < 100_000_000 })
            }
        }

        /// For how many nanoseconds each thread of this process asks to run in one go; nil where the kernel does not tell.
        private static func slices() -> [Int]? {
            let threads = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/task")) ?? []
            let slices = threads.compactMap { thread -> Int? in
                let text = try? String(contentsOfFile: "/proc/self/task/\(thread)/sched", encoding: .utf8)
                let line = text?.split(separator: "\n").first { $0.hasPrefix("se.slice") }
                return line?.split(separator: " ").last.flatMap { Int($0) }
            }
            return slices.isEmpty ? nil : slices
        }
    #endif
}
