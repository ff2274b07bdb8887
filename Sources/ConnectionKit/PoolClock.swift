/// The time that a pool goes by; a test gives it another one.
package struct PoolClock: Sendable {
    package let now: @Sendable () -> ContinuousClock.Instant
    /// Returns at the given time, or throws when the task is cancelled.
    package let sleep: @Sendable (ContinuousClock.Instant) async throws -> Void

    package init(
        now: @escaping @Sendable () -> ContinuousClock.Instant,
        sleep: @escaping @Sendable (ContinuousClock.Instant) async throws -> Void
    ) {
        self.now = now
        self.sleep = sleep
    }

    package static let system = PoolClock(
        now: { ContinuousClock.now }, sleep: { try await Task.sleep(until: $0, clock: .continuous) })
}
