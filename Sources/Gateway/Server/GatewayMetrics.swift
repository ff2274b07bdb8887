internal import CoreMetrics
internal import NIOCore

/// What the gateway counts: handles made once, so that counting allocates nothing.
package final class GatewayMetrics: Sendable {
    /// `[upstream][status class]`; the last upstream is the gateway itself.
    private let requests: [[Counter]]
    private let durations: [Timer]
    private let opened: [Counter]
    private let refusedConnections: Counter

    /// - Parameter upstreams: the names of the services, in the order of the route table.
    package init(upstreams: [String]) {
        let names = upstreams + ["gateway"]
        requests = names.map { name in
            (0...5).map { group in
                let dimensions = [("upstream", name), ("status", group == 0 ? "none" : "\(group)xx")]
                return Counter(label: "gateway_requests_total", dimensions: dimensions)
            }
        }
        durations = names.map { Timer(label: "gateway_request_duration_seconds", dimensions: [("upstream", $0)]) }
        opened = upstreams.map { Counter(label: "gateway_breaker_opened_total", dimensions: [("upstream", $0)]) }
        refusedConnections = Counter(label: "gateway_connections_refused_total")
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

    func connectionRefused() {
        refusedConnections.increment()
    }
}
