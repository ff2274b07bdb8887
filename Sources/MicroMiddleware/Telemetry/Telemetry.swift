internal import CoreMetrics
package import Logging

/// What a process observes itself with, made once where the process is composed and handed down.
package struct Telemetry: Sendable {
    /// The name in every log line and the label of no metric: a scrape knows whom it asks.
    package let service: String
    package let logger: Logger
    package let metrics: MetricsRegistry
    /// Where access lines go, beside what the logger writes.
    package let sink: LogSink

    package init(
        service: String, level: Logger.Level = .info, metrics: MetricsRegistry = MetricsRegistry(),
        sink: LogSink = .standardError
    ) {
        self.service = service
        self.metrics = metrics
        self.sink = sink
        self.logger = Logger(label: service) { _ in JSONLogHandler(service: service, level: level, sink: sink) }
    }

    /// The telemetry that the settings ask for.
    /// - Throws: ``ConfigurationError`` when `log.level` is no level.
    package init(settings: ServiceSettings, metrics: MetricsRegistry = MetricsRegistry()) throws {
        let level = Logger.Level(rawValue: try settings.value(.logLevel)) ?? .info
        self.init(service: settings.service, level: level, metrics: metrics)
    }

    /// Makes this the destination of libraries that log and count by themselves. Call it at most once in a process,
    /// before anything else; tests do not call it.
    package func adoptForProcess() {
        let (service, sink, level) = (service, sink, logger.logLevel)
        LoggingSystem.bootstrap { _ in JSONLogHandler(service: service, level: level, sink: sink) }
        MetricsSystem.bootstrap(metrics)
    }

    /// Telemetry that says nothing, for tests.
    package static func silent(service: String = "test") -> Telemetry {
        Telemetry(service: service, level: .critical, sink: LogSink { _ in })
    }
}
