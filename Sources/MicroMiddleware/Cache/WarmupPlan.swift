/// How a service that lost its cache or its database lets its users back in.
package struct WarmupPlan: Sendable, Hashable {
    /// Percent admitted while hot keys are preloaded, 1 to 100.
    package var firstShare: Int
    /// Percent admitted while the database is watched, at least ``firstShare``, at most 100.
    package var secondShare: Int
    /// How long the first share holds at least.
    package var firstStage: Duration
    /// How long the second share holds at least.
    package var secondStage: Duration
    /// How long the database is still watched once all are admitted; a relapse in it steps back.
    package var watch: Duration
    /// How long the load must be high without a pause before the ramp steps back: one slow query does not.
    package var patience: Duration

    /// 20 % for 5 minutes, 50 % until minute 15, then all.
    package static let standard = WarmupPlan()

    package init(
        firstShare: Int = 20, secondShare: Int = 50, firstStage: Duration = .seconds(300),
        secondStage: Duration = .seconds(600), watch: Duration = .seconds(300), patience: Duration = .seconds(30)
    ) {
        self.firstShare = min(max(1, firstShare), 100)
        self.secondShare = min(max(self.firstShare, secondShare), 100)
        self.firstStage = firstStage
        self.secondStage = secondStage
        self.watch = watch
        self.patience = patience
    }
}

/// What the database's p95 query time says, compared with the steady state that is remembered.
package enum WarmupLoad: String, Sendable, Hashable, Codable, CaseIterable {
    /// Within the limit.
    case normal
    /// Beyond it.
    case high
    /// Nothing could be measured: the database does not answer, or there is nothing to compare with.
    case unknown

    /// - Parameters:
    ///   - p95: Of the last window; `nil` when no query was answered.
    ///   - steady: The p95 that is remembered from before; `nil` or zero when none is.
    ///   - limit: How many times `steady` is still normal.
    package init(p95: Duration?, steady: Duration?, limit: Double = 2) {
        guard let p95, let steady, steady > .zero else {
            self = .unknown
            return
        }
        self = p95 / steady <= limit ? .normal : .high
    }
}
