package import Foundation

/// The progressive return of traffic: a first share, a second one, then everybody, as fast as the database bears it.
///
/// A pure state machine; whoever holds it gives it the time and the load. It goes up one stage at a time, however late it is
/// asked, so that a process which was away for an hour does not open all doors at once. Its times are of the wall clock and it
/// is `Codable`, since it must survive a restart and be the same for all replicas.
package struct WarmupRamp: Sendable, Hashable, Codable {
    /// Where the ramp is.
    package enum Stage: String, Sendable, Hashable, Codable, CaseIterable {
        /// No ramp: everybody is admitted.
        case idle
        /// The first share, while hot keys are preloaded.
        case first
        /// The second share, while the database is watched.
        case second
        /// Everybody is admitted, and the database still watched.
        case watching
    }

    package private(set) var stage = Stage.idle
    /// When ``stage`` was entered; `nil` when there has never been a ramp.
    package private(set) var since: Date?
    /// When the ramp began; tells one ramp from the next, also for ``WarmupAdmission``.
    package private(set) var started: Date?
    /// Why it began, for the operator.
    package private(set) var reason: String?
    /// Since when the load has been high without a pause.
    package private(set) var highSince: Date?

    package init() {}

    /// Percent admitted, 1 to 100.
    package func share(_ plan: WarmupPlan) -> Int {
        switch stage {
        case .idle, .watching: 100
        case .first: plan.firstShare
        case .second: plan.secondShare
        }
    }

    /// Begins with the first share, also out of ``Stage/watching``. A ramp under way is not begun anew: two replicas that
    /// find the same loss start one ramp.
    ///
    /// - Returns: Whether it began.
    @discardableResult
    package mutating func start(reason: String, at now: Date) -> Bool {
        guard stage == .idle || stage == .watching else { return false }
        started = now
        self.reason = reason
        enter(.first, at: now)
        return true
    }

    /// Admits everybody at once, unwatched: the operator knows better.
    ///
    /// - Returns: Whether there was a ramp.
    @discardableResult
    package mutating func skip(at now: Date) -> Bool {
        guard stage != .idle else { return false }
        enter(.idle, at: now)
        return true
    }

    /// Goes on, holds or steps back. Ask every few seconds.
    ///
    /// A stage is left upwards when its time is over and the load is normal; what is not known is no reason to let more in.
    /// It is left downwards when the load has been high for the plan's patience, and then its whole time counts again.
    package mutating func observe(_ load: WarmupLoad, plan: WarmupPlan, at now: Date) {
        guard stage != .idle, var since else { return }
        if since > now {
            // The clock was set back: time that has not passed is not waited for twice over.
            since = now
            self.since = now
        }
        if load == .high {
            let high = min(highSince ?? now, now)
            highSince = high
            if now.timeIntervalSince(high) >= plan.patience / .seconds(1) { stepBack(at: now) }
            return
        }
        highSince = nil
        guard load == .normal, now.timeIntervalSince(since) >= length(plan) / .seconds(1) else { return }
        switch stage {
        case .first: enter(.second, at: now)
        case .second: enter(.watching, at: now)
        case .watching, .idle: enter(.idle, at: now)
        }
    }

    private func length(_ plan: WarmupPlan) -> Duration {
        switch stage {
        case .idle: .zero
        case .first: plan.firstStage
        case .second: plan.secondStage
        case .watching: plan.watch
        }
    }

    private mutating func stepBack(at now: Date) {
        switch stage {
        case .watching: enter(.second, at: now)
        // There is nothing below the first share: it holds for as long as the load is high.
        case .second, .first, .idle: enter(.first, at: now)
        }
    }

    private mutating func enter(_ stage: Stage, at now: Date) {
        self.stage = stage
        since = now
        highSince = nil
    }
}
