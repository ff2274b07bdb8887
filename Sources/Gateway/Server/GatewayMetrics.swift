internal import Contracts
internal import MicroMiddleware
internal import NIOCore

/// What the gateway counts: series looked up once, so that counting allocates nothing and takes no lock.
final class GatewayMetrics: Sendable {
    /// `[upstream][status class]`; the last upstream is the gateway itself.
    private let requests: [[MetricCounter]]
    private let durations: [MetricHistogram]
    private let opened: [MetricCounter]
    private let fallbacks: [MetricCounter]
    private let resends: [MetricCounter]
    /// `[upstream][rank of the priority]`
    private let shed: [[MetricCounter]]
    private let limits: [MetricGauge]
    private let refusedConnections: MetricCounter

    /// - Parameter upstreams: the names of the services, in the order of the route table.
    init(upstreams: [String], registry: MetricsRegistry) {
        let names = upstreams + ["gateway"]
        requests = names.map { name in
            (0...5).map { group in
                registry.counter(
                    "gateway_requests_total", help: "Responses, by who answered and by class of status.",
                    labels: [("upstream", name), ("status", group == 0 ? "other" : "\(group)xx")])
            }
        }
        durations = names.map { name in
            registry.histogram(
                "gateway_request_duration_seconds",
                help: "From the end of a request's head to the end of its response.",
                labels: [("upstream", name)])
        }
        opened = upstreams.map { name in
            registry.counter(
                "gateway_breaker_opened_total", help: "How often a service was given up for a while.",
                labels: [("upstream", name)])
        }
        fallbacks = upstreams.map { name in
            registry.counter(
                "gateway_fallbacks_total", help: "Requests that went to this service because another gave no answer.",
                labels: [("upstream", name)])
        }
        resends = upstreams.map { name in
            registry.counter(
                "gateway_resends_total", help: "Requests that were sent to this service a second time.",
                labels: [("upstream", name)])
        }
        shed = upstreams.map { name in
            RequestPriority.allCases.sorted().map { priority in
                registry.counter(
                    "gateway_shed_total",
                    help: "Requests refused because as many are under way to the service as it can take.",
                    labels: [("upstream", name), ("priority", priority.rawValue)])
            }
        }
        limits = upstreams.map { name in
            registry.gauge(
                "gateway_concurrency_limit", help: "How many requests may be under way to the service at present.",
                labels: [("upstream", name)])
        }
        refusedConnections = registry.counter(
            "gateway_connections_refused_total", help: "Connections closed at once because there were too many.")
    }

    /// Counts a response that is complete.
    func finished(_ exchange: Exchange) {
        let upstream = exchange.route?.upstream ?? requests.count - 1
        let group = exchange.status / 100
        requests[upstream][group <= 5 ? group : 0].increment()
        durations[upstream].recordNanoseconds((NIODeadline.now() - exchange.started).nanoseconds)
    }

    func breakerOpened(upstream: Int) {
        opened[upstream].increment()
    }

    func fellBack(upstream: Int) {
        fallbacks[upstream].increment()
    }

    func resent(upstream: Int) {
        resends[upstream].increment()
    }

    func shed(upstream: Int, priority: RequestPriority) {
        shed[upstream][priority.rank].increment()
    }

    /// Each event loop adds its own share.
    func limitChanged(upstream: Int, by difference: Double) {
        limits[upstream].increment(by: difference)
    }

    func connectionRefused() {
        refusedConnections.increment()
    }
}
