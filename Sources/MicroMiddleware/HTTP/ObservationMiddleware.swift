internal import HTTPTypes
package import Hummingbird
internal import Logging
internal import Synchronization

/// Writes the access line and counts the request, once its answer is known.
///
/// Health and metrics requests are counted but not logged. The path is logged without its query, which may hold what
/// belongs in no log.
package struct ObservationMiddleware: RouterMiddleware {
    private let telemetry: Telemetry
    private let series: RequestSeries

    package init(telemetry: Telemetry) {
        self.telemetry = telemetry
        self.series = RequestSeries(telemetry.metrics)
    }

    package func handle(
        _ request: Request, context: BaseRequestContext,
        next: Next<BaseRequestContext>
    ) async throws -> Response {
        let start = ContinuousClock.now
        series.inFlight.increment()
        defer { series.inFlight.decrement() }
        let response = try await next(request, context)
        let route = context.endpointPath ?? "unknown"
        let elapsed = ContinuousClock.now - start
        series.record(route: route, method: request.method, status: response.status.code, elapsed: elapsed)
        if !ServiceApplication.ownPaths.contains(route), telemetry.logger.logLevel <= .info {
            writeLine(request, context, route: route, status: response.status.code, elapsed: elapsed)
        }
        return response
    }

    private func writeLine(
        _ request: Request, _ context: BaseRequestContext, route: String, status: Int, elapsed: Duration
    ) {
        var line: [UInt8] = []
        line.reserveCapacity(384)
        line.append(UInt8(ascii: "{"))
        JSONText.append("ts", Timestamp.now(), to: &line)
        JSONText.append("level", "info", to: &line)
        JSONText.append("service", telemetry.service, to: &line)
        JSONText.append("msg", "request", to: &line)
        JSONText.append("request_id", context.requestID, to: &line)
        JSONText.append("trace_id", context.scope.trace.traceID, to: &line)
        JSONText.append("method", request.method.rawValue, to: &line)
        JSONText.append("path", request.uri.path.prefix(256), to: &line)
        JSONText.append("route", route, to: &line)
        JSONText.append("status", status, to: &line)
        let (seconds, attoseconds) = elapsed.components
        JSONText.append("duration_us", Int(seconds) * 1_000_000 + Int(attoseconds / 1_000_000_000_000), to: &line)
        if let address = context.clientAddress { JSONText.append("client", address, to: &line) }
        line.append(contentsOf: "}\n".utf8)
        telemetry.sink(line)
    }
}

/// The series of HTTP requests, found again by route, method and status without making the labels anew.
private final class RequestSeries: Sendable {
    private struct Key: Hashable {
        let route: String
        let method: HTTPRequest.Method
        let status: Int
    }

    let inFlight: MetricGauge
    private let registry: MetricsRegistry
    private let known = Mutex<[Key: MetricHistogram]>([:])

    init(_ registry: MetricsRegistry) {
        self.registry = registry
        self.inFlight = registry.gauge("http_server_requests_in_flight", help: "Requests being answered at present.")
    }

    func record(route: String, method: HTTPRequest.Method, status: Int, elapsed: Duration) {
        let key = Key(route: route, method: method, status: status)
        let histogram = known.withLock { known in
            if let histogram = known[key] { return histogram }
            let made = registry.histogram(
                "http_server_request_duration_seconds",
                help: "How long requests took, from their head to the answer's.",
                labels: [("route", route), ("method", method.rawValue), ("status", String(status))])
            known[key] = made
            return made
        }
        let (seconds, attoseconds) = elapsed.components
        histogram.record(Double(seconds) + Double(attoseconds) / 1e18)
    }
}
