import Bench
import Testing

@Suite("What a service's metrics say of one route")
struct RequestHistogramTests {
    private static let metrics = """
        # TYPE http_server_request_duration_seconds histogram
        http_server_request_duration_seconds_bucket{method="POST",route="/api/v1/auth/check-permission",status="200",le="0.0005"} 90
        http_server_request_duration_seconds_bucket{method="POST",route="/api/v1/auth/check-permission",status="200",le="0.001"} 99
        http_server_request_duration_seconds_bucket{method="POST",route="/api/v1/auth/check-permission",status="200",le="+Inf"} 100
        http_server_request_duration_seconds_bucket{method="POST",route="/api/v1/auth/check-permission",status="401",le="0.001"} 7
        http_server_request_duration_seconds_bucket{method="POST",route="/api/v1/auth/check-permission",status="401",le="+Inf"} 7
        http_server_request_duration_seconds_bucket{method="GET",route="/livez",status="200",le="0.001"} 5
        http_server_request_duration_seconds_bucket{method="GET",route="/livez",status="200",le="+Inf"} 6
        """

    private func histogram(_ method: String, _ routeEnd: String, _ status: Int) -> RequestHistogram? {
        RequestHistogram(metrics: Self.metrics, method: method, routeEnd: routeEnd, status: status)
    }

    @Test("Only the route, method and status that are asked for count")
    func one() throws {
        let asked = try #require(histogram("POST", "auth/check-permission", 200))
        #expect(asked.count == 100 && asked.within(0.001) == 99 && asked.within(0.0005) == 90)
        #expect(try #require(histogram("GET", "livez", 200)).count == 6)
    }

    @Test("A bound that is none is nothing, and so is a route that nobody has asked")
    func none() throws {
        #expect(try #require(histogram("POST", "auth/check-permission", 200)).within(0.002) == nil)
        #expect(histogram("GET", "auth/check-permission", 200) == nil)
        #expect(histogram("POST", "auth/check-permission", 503) == nil)
    }
}
