/// Lets answers leave at even steps only, so that the time they take does not tell what was found.
///
/// Equal work is not enough: a code that is there costs an UPDATE more than one that is not, and four hundred answers show
/// it. Whatever is done within a step takes the same time for everybody. No thread is held meanwhile.
package struct SteadyPace: Sendable {
    /// Answers leave after a whole number of these.
    let step: Duration
    let now: @Sendable () -> ContinuousClock.Instant
    let sleep: @Sendable (Duration) async throws -> Void

    /// - Parameter step: several times what the work takes on a quiet machine.
    package init(
        step: Duration = .milliseconds(50), now: @escaping @Sendable () -> ContinuousClock.Instant = { .now },
        sleep: @escaping @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }
    ) {
        self.step = step
        self.now = now
        self.sleep = sleep
    }

    /// Does the work and gives its result back, or throws its error, at the end of a step. Who has gone is not waited for.
    package func callAsFunction<Answer: Sendable>(
        _ work: @Sendable () async throws -> Answer
    ) async throws -> Answer {
        let start = now()
        do {
            let answer = try await work()
            try? await sleep(remainder(since: start))
            return answer
        } catch {
            try? await sleep(remainder(since: start))
            throw error
        }
    }

    /// What is left of the step that has begun.
    private func remainder(since start: ContinuousClock.Instant) -> Duration {
        let taken = start.duration(to: now())
        return step * ((taken / step).rounded(.down) + 1) - taken
    }
}
