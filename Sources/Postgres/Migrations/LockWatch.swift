import ConnectionKit
import Synchronization

/// Looks, over another connection, what a migration waits for: once the wait has failed the server does not tell any more.
final class LockWatch: Sendable {
    private let client: PostgresClient
    /// Of the migration's server process.
    private let processID: Int32
    private let interval: Duration
    private let onSight: @Sendable (LockWait) -> Void
    private let seen = Mutex<LockWait?>(nil)

    /// - Parameters:
    ///   - interval: between two looks.
    ///   - onSight: told of the first lock that is waited for, and of each one that is another than the one before.
    init(
        client: PostgresClient, processID: Int32, interval: Duration, onSight: @escaping @Sendable (LockWait) -> Void
    ) {
        self.client = client
        self.processID = processID
        self.interval = interval
        self.onSight = onSight
    }

    /// What was waited for last; `nil` when nothing was seen, or nobody could look.
    var last: LockWait? { seen.withLock { $0 } }

    /// Looks as long as `body` runs.
    func during(_ body: () async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await self.run() }
            defer { group.cancelAll() }
            try await body()
        }
    }

    private func run() async {
        while (try? await Task.sleep(for: interval)) != nil {
            guard let found = await look() else { continue }
            let isNews = seen.withLock { seen in
                defer { seen = found }
                return seen?.mode != found.mode || seen?.object != found.object
            }
            if isNews { onSight(found) }
        }
    }

    private func look() async -> LockWait? {
        let rows = try? await client.query(LockWait.statement(of: processID), deadline: .after(.seconds(1)))
        return rows?.first.flatMap { try? LockWait(row: $0) }
    }
}
