package import Contracts

/// How many requests may be under way to one service: rises while answers take as long as they use to, falls while they
/// take longer. A pure state machine: told latencies, and when a window of time is over.
///
/// The gradient algorithm of Netflix's concurrency-limits (its `Gradient2Limit`; T. Jurka and others, "Performance Under
/// Load", 2018): `limit · min(1, tolerance · usual / present latency) + √limit`, smoothed. Each priority is compared with its
/// own past, since a login takes longer than a read without anything being wrong. What is usual follows the present
/// slowly, and slower still under load, lest an overload become the standard.
///
/// Of the limit the lower priorities may use less, so that they are refused first.
package struct ConcurrencyLimit: Sendable {
    /// At the start, for each replica: more than a healthy service ever needs on one event loop.
    package static let initialPerReplica = 256.0
    /// The limit never falls below this for each replica.
    package static let minimumPerReplica = 16.0
    /// So many times the usual latency are no sign of overload.
    static let tolerance = 2.0
    /// How much of the way to the new limit is gone with each window.
    static let smoothing = 0.2
    /// A window with fewer answers is prolonged.
    static let minimumSamples = 10

    private struct Latencies {
        var sum = 0.0
        var count = 0
        /// What is usual, in nanoseconds; nil until the first window.
        var usual: Double?
    }

    private let initial: Double
    private let minimum: Double
    private let maximum: Double
    private var latencies = Array(repeating: Latencies(), count: RequestPriority.allCases.count)
    private var samples = 0
    private var peak = 0
    private(set) var exactLimit: Double
    /// By the rank of the priority.
    private var thresholds: [Int] = []

    /// - Parameters:
    ///   - replicas: how many share the load.
    ///   - maximum: the limit never rises above this.
    package init(replicas: Int = 1, maximum: Int) {
        self.maximum = Double(maximum)
        initial = min(Self.initialPerReplica * Double(replicas), self.maximum)
        minimum = min(Self.minimumPerReplica * Double(replicas), self.maximum)
        exactLimit = initial
        divide()
    }

    /// The present limit, for the highest priority.
    package var limit: Int { Int(exactLimit) }

    /// The part of the limit that a priority may fill.
    package static func share(of priority: RequestPriority) -> Double {
        switch priority {
        case .other: 0.7
        case .login: 0.8
        case .refresh: 0.9
        case .verify: 1
        }
    }

    /// Whether one more request of this priority may go while so many are under way.
    package mutating func admits(_ priority: RequestPriority, inFlight: Int) -> Bool {
        if inFlight >= peak { peak = inFlight + 1 }
        return inFlight < thresholds[priority.rank]
    }

    /// The service began to answer a request, or was given up on, after so many nanoseconds.
    package mutating func record(nanoseconds: Int64, priority: RequestPriority) {
        latencies[priority.rank].sum += Double(nanoseconds)
        latencies[priority.rank].count += 1
        samples += 1
    }

    /// Ends a window of about a tenth of a second, and sets the limit for the next one.
    package mutating func endWindow() {
        guard samples >= Self.minimumSamples else { return }
        // A limit that is not reached says nothing about itself.
        let isUsed = Double(peak) >= exactLimit / 2
        let gradient = gradient(isUsed: isUsed)
        if isUsed {
            let next = exactLimit * gradient + exactLimit.squareRoot()
            exactLimit += (next - exactLimit) * Self.smoothing
        } else if gradient == 1, exactLimit < initial {
            exactLimit = min(initial, exactLimit + exactLimit.squareRoot() * Self.smoothing)
        }
        exactLimit = max(minimum, min(maximum, exactLimit))
        divide()
        samples = 0
        peak = 0
    }

    /// From 0.5 (twice as slow as is tolerated, or slower) to 1 (as usual), over all priorities; begins the next window.
    private mutating func gradient(isUsed: Bool) -> Double {
        var sum = 0.0
        for rank in latencies.indices where latencies[rank].count > 0 {
            let present = max(1, latencies[rank].sum / Double(latencies[rank].count))
            let usual = latencies[rank].usual ?? present
            sum += max(0.5, min(1, Self.tolerance * usual / present)) * Double(latencies[rank].count)
            let weight = present < usual ? 0.2 : isUsed ? 0.000_5 : 0.02
            latencies[rank] = Latencies(usual: usual + (present - usual) * weight)
        }
        return sum / Double(samples)
    }

    private mutating func divide() {
        thresholds = RequestPriority.allCases.sorted().map { Int((exactLimit * Self.share(of: $0)).rounded(.up)) }
    }
}
