import ConnectionKit

/// What a test waited for and did not see in time.
package struct NotInTime: Error, CustomStringConvertible {
    package let description: String

    package init(_ what: String, within limit: Duration) {
        description = "not within \(limit): \(what)"
    }
}

/// Waits until the condition holds.
///
/// - Parameters:
///   - limit: generous, since it is only waited for where something is wrong.
///   - what: what is waited for, as the failed test says it.
/// - Throws: `NotInTime`, and what the condition throws.
package func eventually(
    within limit: Duration = .seconds(30), _ what: String, _ condition: () async throws -> Bool
) async throws {
    let deadline = Deadline.after(limit)
    while try await !condition() {
        guard !deadline.hasPassed else { throw NotInTime(what, within: limit) }
        try await Task.sleep(for: .milliseconds(10))
    }
}

/// Tries until `body` succeeds: for what is refused at first.
///
/// - Throws: what `body` threw last, once the limit has passed.
@discardableResult
package func untilItSucceeds<Value>(
    within limit: Duration = .seconds(30), _ body: () async throws -> Value
) async throws -> Value {
    let deadline = Deadline.after(limit)
    while true {
        do {
            return try await body()
        } catch {
            if deadline.hasPassed { throw error }
            try await Task.sleep(for: .milliseconds(10))
        }
    }
}
