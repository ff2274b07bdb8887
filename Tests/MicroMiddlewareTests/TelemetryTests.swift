import Foundation
import Logging
import MicroMiddleware
import Testing

@Suite("Telemetry")
struct TelemetryTests {
    @Test("A log line is one JSON object with its metadata, whatever the texts hold")
    func logLine() throws {
        let lines = CapturedLines()
        var logger = Telemetry(service: "demo", level: .info, sink: LogSink { lines.append($0) }).logger
        logger[metadataKey: "request_id"] = "r1"
        logger.debug("not written")
        logger.info(
            "a \"quoted\"\nline\u{1}\\ é😀",
            metadata: ["list": ["a", .dictionary(["b": "c"])], "secret": "\(Secret("hunter2"))", "request_id": "r2"])
        let line = try #require(lines.all.first)
        #expect(lines.all.count == 1)
        #expect(line.filter { $0 == "\n" }.count == 1)
        let object = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
        #expect(object["msg"] as? String == "a \"quoted\"\nline\u{1}\\ é😀")
        #expect(object["level"] as? String == "info")
        #expect(object["service"] as? String == "demo")
        #expect(object["request_id"] as? String == "r2")
        #expect(object["secret"] as? String == "•••")
        #expect((object["list"] as? [Any])?.count == 2)
        #expect(Timestamp.parse(try #require(object["ts"] as? String)) != nil)
    }

    @Test("Loggers are values: what is set on a copy stays with the copy")
    func valueSemantics() {
        var one = Telemetry(service: "demo", sink: LogSink { _ in }).logger
        one[metadataKey: "only"] = "one"
        var two = one
        two.logLevel = .error
        two[metadataKey: "only"] = "two"
        #expect(one.logLevel == .info)
        #expect(one[metadataKey: "only"] == "one")
    }

    @Test(
        "Times are RFC 3339 in UTC with milliseconds",
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"), (951_782_400.5, "2000-02-29T00:00:00.500Z"),
            (1_795_384_991.042, "2026-11-22T22:03:11.042Z"), (4_107_542_399.999, "2100-02-28T23:59:59.999Z"),
            (-1, "1969-12-31T23:59:59.000Z"), (-11_644_473_600, "1601-01-01T00:00:00.000Z"),
        ])
    func times(seconds: Double, text: String) {
        #expect(Timestamp.render(Date(timeIntervalSince1970: seconds)) == text)
        #expect(abs((Timestamp.parse(text)?.timeIntervalSince1970 ?? .infinity) - seconds) < 0.001)
    }

    @Test("Metrics render as Prometheus reads them")
    func prometheus() {
        let registry = MetricsRegistry()
        registry.counter("logins_total", help: "Logins.", labels: [("result", "ok"), ("kind", "a\"b\\c\nd")]).increment(
            by: 2)
        registry.counter("logins_total", labels: [("kind", "a\"b\\c\nd"), ("result", "ok")]).increment()
        registry.gauge("queue.depth").set(Int64(7))
        let histogram = registry.histogram("wait_seconds", help: "Waits.", buckets: [0.1, 1])
        for value in [0.05, 0.1, 0.5, 3] { histogram.record(value) }
        let text = registry.prometheusText()
        #expect(text.contains("# HELP logins_total Logins.\n# TYPE logins_total counter\n"))
        #expect(text.contains(#"logins_total{kind="a\"b\\c\nd",result="ok"} 3"#))
        #expect(text.contains("# TYPE queue_depth gauge\nqueue_depth 7\n"))
        #expect(
            text.contains(
                """
                # HELP wait_seconds Waits.
                # TYPE wait_seconds histogram
                wait_seconds_bucket{le="0.1"} 2
                wait_seconds_bucket{le="1"} 3
                wait_seconds_bucket{le="+Inf"} 4
                wait_seconds_sum 3.65
                wait_seconds_count 4

                """))
    }

    @Test("Counting from many tasks loses nothing")
    func concurrentCounting() async {
        let registry = MetricsRegistry()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    for _ in 0..<1_000 {
                        registry.counter("hits_total").increment()
                        registry.histogram("waits_seconds").record(0.5)
                    }
                }
            }
        }
        #expect(registry.counter("hits_total").value == 8_000)
        #expect(registry.prometheusText().contains("waits_seconds_sum 4000\nwaits_seconds_count 8000\n"))
    }

    @Test("Past the limit of series, new ones are dropped, counted, and harmless")
    func tooManySeries() {
        let registry = MetricsRegistry()
        for index in 0..<(MetricsRegistry.maximumSeries + 3) {
            registry.counter("flood_total", labels: [("id", "\(index)")]).increment()
        }
        #expect(registry.prometheusText().contains("authms_metrics_dropped_series_total 3\n"))
    }
}
