/// What a warm-up shows in `/metrics`.
struct WarmupMetrics: Sendable {
    let share: MetricGauge
    let hitRate: MetricGauge
    let steady: MetricGauge
    let refused: MetricCounter

    init(_ registry: MetricsRegistry) {
        share = registry.gauge(
            "authms_warmup_admitted_percent", help: "Percent of the users admitted; 100 without a ramp.")
        share.set(100.0)
        hitRate = registry.gauge("authms_cache_hit_ratio", help: "Reads that the cache answered, of all replicas.")
        steady = registry.gauge(
            "authms_database_steady_p95_seconds", help: "The 95th percentile of statement times that is usual.")
        refused = registry.counter("authms_warmup_refused_total", help: "Requests answered 503002.")
    }
}
