internal import Synchronization

/// Counts what became of the reads of one kind.
struct CacheReads: Sendable {
    enum Result: String, CaseIterable {
        /// Answered from this process's memory.
        case local
        case hit
        /// Answered that there is none.
        case negative
        /// A hit that was loaded anew before it expired.
        case early
        case miss
        /// A change was under way.
        case bypassed
        /// Redis was away.
        case away
    }

    private let counters: [Result: MetricCounter]
    private let tally: CacheTally

    init(_ metrics: MetricsRegistry, kind: String, tally: CacheTally) {
        self.tally = tally
        counters = Dictionary(
            uniqueKeysWithValues: Result.allCases.map { result in
                (
                    result,
                    metrics.counter(
                        "authms_cache_reads_total", help: "What became of reads through the cache.",
                        labels: [("kind", kind), ("result", result.rawValue)])
                )
            })
    }

    func count(_ result: Result) {
        counters[result]?.increment()
        switch result {
        case .local, .hit, .negative: tally.hits.wrappingAdd(1, ordering: .relaxed)
        case .miss, .bypassed, .away: tally.misses.wrappingAdd(1, ordering: .relaxed)
        case .early: break
        }
    }
}
