package import Foundation

/// A ramp as replicas share it: how often it has changed tells which of two copies is the newer one.
package struct WarmupState: Sendable, Hashable, Codable {
    package var ramp = WarmupRamp()
    /// Rises by one with each change.
    package var revision: Int64 = 0

    package init() {}

    /// Takes over a copy from elsewhere when it is newer.
    ///
    /// - Returns: whether it was.
    @discardableResult
    package mutating func merge(_ other: WarmupState) -> Bool {
        guard other.revision > revision else { return false }
        self = other
        return true
    }

    /// Changes the ramp.
    ///
    /// - Returns: whether it is another one afterwards.
    @discardableResult
    package mutating func change(_ body: (inout WarmupRamp) -> Void) -> Bool {
        var changed = ramp
        body(&changed)
        guard changed != ramp else { return false }
        ramp = changed
        revision += 1
        return true
    }
}

/// One look at a service: what `authms warmup status` plots.
package struct WarmupSample: Sendable, Hashable, Codable {
    package var at: Date
    /// Percent admitted.
    package var share: Int
    /// From 0 to 1; `nil` when nothing was read.
    package var hitRate: Double?
    /// The 95th percentile of the database's statement times, in milliseconds; `nil` when nothing was asked.
    package var p95_ms: Double?
    /// Requests answered 503002 since the sample before.
    package var refused: Int

    enum CodingKeys: String, CodingKey {
        case at, share, refused
        case hitRate = "hit_rate"
        case p95_ms = "p95_ms"
    }
}

/// What a service says of its warm-up.
package struct WarmupReport: Sendable, Codable {
    package var service: String
    package var stage: WarmupRamp.Stage
    /// Percent admitted.
    package var share: Int
    package var since: Date?
    package var started: Date?
    package var reason: String?
    package var load: WarmupLoad
    /// The p95 that is remembered as normal, in milliseconds.
    package var steady_ms: Double?
    /// Cache hits a second that are remembered as usual.
    package var usualHits: Double
    package var generation: String?
    package var isShared: Bool
    /// Hot keys that this process has preloaded in the present ramp.
    package var preloaded: Int
    /// The last ten minutes at most, the oldest first.
    package var history: [WarmupSample]

    enum CodingKeys: String, CodingKey {
        case service, stage, share, since, started, reason, load, generation, preloaded, history
        case steady_ms = "steady_p95_ms"
        case usualHits = "usual_hits_per_second"
        case isShared = "is_shared"
    }
}
