import Foundation

/// A service's histogram of how long the requests of a route took, as its `/metrics` has it.
package struct RequestHistogram: Sendable {
    /// How many requests there were.
    package let count: Int
    /// By bucket, the bounds as they are written.
    private let buckets: [(bound: Double, count: Int)]

    /// - Parameter routeEnd: the end of the route's path.
    /// - Returns: nil when there is none of that route, method and status.
    package init?(metrics: String, method: String, routeEnd: String, status: Int) {
        let name = "http_server_request_duration_seconds_bucket{"
        var buckets: [(bound: Double, count: Int)] = []
        for line in metrics.split(separator: "\n")
        where line.hasPrefix(name) && line.contains("method=\"\(method)\"") && line.contains("\(routeEnd)\"")
            && line.contains("status=\"\(status)\"")
        {
            guard let mark = line.range(of: "le=\""), let count = line.split(separator: " ").last.flatMap({ Int($0) })
            else { continue }
            let text = line[mark.upperBound...].prefix { $0 != "\"" }
            buckets.append((text == "+Inf" ? .infinity : Double(text) ?? .nan, count))
        }
        guard let all = buckets.last(where: { $0.bound == .infinity }) else { return nil }
        self.buckets = buckets
        count = all.count
    }

    /// How many of them took no longer than this, in seconds; nil when no bucket ends there.
    package func within(_ seconds: Double) -> Int? {
        buckets.first { abs($0.bound - seconds) < 1e-9 }?.count
    }
}
