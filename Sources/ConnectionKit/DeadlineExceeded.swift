/// A piece of work did not end by its deadline.
package struct DeadlineExceeded: Error, Sendable, CustomStringConvertible {
    package var description: String { "it took longer than it may" }
}

/// Runs `body`, and cancels it when the deadline passes; returns once it has ended.
///
/// - Throws: what `body` throws; ``DeadlineExceeded`` when the deadline passed first.
package func withDeadline<Value: Sendable>(
    _ deadline: Deadline, _ body: @escaping @Sendable () async throws -> Value
) async throws -> Value {
    try await withThrowingTaskGroup(of: Value?.self) { group in
        group.addTask { try await body() }
        group.addTask {
            try await Task.sleep(for: deadline.remaining)
            return nil
        }
        defer { group.cancelAll() }
        guard let first = try await group.next(), let value = first else { throw DeadlineExceeded() }
        return value
    }
}
