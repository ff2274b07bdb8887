package import CoreMetrics
internal import Synchronization

/// The process's metrics, in memory, rendered as Prometheus text (exposition format 0.0.4).
///
/// Recording takes no lock: a series is looked up once and kept by its user, and its numbers are atomic.
package final class MetricsRegistry: Sendable {
    /// At most so many series; past it new ones are counted in `authms_metrics_dropped_series_total` and go nowhere.
    package static let maximumSeries = 5_000

    private struct State {
        var families: [String: MetricFamily] = [:]
        var help: [String: String] = [:]
        var count = 0
        var dropped = 0
    }

    private let state = Mutex(State())

    package init() {}

    /// A counter that only rises. By convention its name ends in `_total`.
    package func counter(_ name: String, help: String = "", labels: [(String, String)] = []) -> MetricCounter {
        series(name, .counter, help, labels) { .counter(MetricCounter()) }?.counter ?? MetricCounter()
    }

    /// A value that goes up and down.
    package func gauge(_ name: String, help: String = "", labels: [(String, String)] = []) -> MetricGauge {
        series(name, .gauge, help, labels) { .gauge(MetricGauge()) }?.gauge ?? MetricGauge()
    }

    /// A distribution over fixed buckets. By convention its name ends in its unit: `_seconds`, `_bytes`.
    package func histogram(
        _ name: String, help: String = "", labels: [(String, String)] = [],
        buckets: [Double] = MetricHistogram.latencyBuckets
    ) -> MetricHistogram {
        series(name, .histogram, help, labels) { .histogram(MetricHistogram(bounds: buckets)) }?.histogram
            ?? MetricHistogram(bounds: buckets)
    }

    /// Everything, as Prometheus reads it.
    package func prometheusText() -> String {
        let (families, dropped) = state.withLock { ($0.families.values.sorted { $0.name < $1.name }, $0.dropped) }
        var text = ""
        for family in families {
            family.render(to: &text)
        }
        text += "# HELP authms_metrics_dropped_series_total Series refused because there were too many.\n"
        text += "# TYPE authms_metrics_dropped_series_total counter\n"
        text += "authms_metrics_dropped_series_total \(dropped)\n"
        return text
    }

    private func series(
        _ rawName: String, _ kind: MetricFamily.Kind, _ help: String, _ labels: [(String, String)],
        make: () -> MetricFamily.Series
    ) -> MetricFamily.Series? {
        let name = MetricFamily.validName(rawName)
        let labelText = MetricFamily.labelText(labels)
        return state.withLock { state in
            var family = state.families[name] ?? MetricFamily(name: name, kind: kind, help: help)
            guard family.kind == kind else { return nil }
            if let known = family.series[labelText] { return known }
            guard state.count < Self.maximumSeries else {
                state.dropped += 1
                return nil
            }
            let made = make()
            family.series[labelText] = made
            state.families[name] = family
            state.count += 1
            return made
        }
    }
}

extension MetricsRegistry: MetricsFactory {
    package func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        counter(label.hasSuffix("_total") ? label : label + "_total", labels: dimensions)
    }

    package func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        gauge(label, labels: dimensions)
    }

    package func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
        aggregate ? histogram(label, labels: dimensions) : gauge(label, labels: dimensions)
    }

    package func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        histogram(label.hasSuffix("_seconds") ? label : label + "_seconds", labels: dimensions)
    }

    // A series lives as long as the process: a counter that vanishes looks like a restart to who reads it.
    package func destroyCounter(_ handler: any CounterHandler) {}
    package func destroyMeter(_ handler: any MeterHandler) {}
    package func destroyRecorder(_ handler: any RecorderHandler) {}
    package func destroyTimer(_ handler: any TimerHandler) {}
}
