package import Logging

/// Logs as JSON, one object a line: `ts level service msg`, then the metadata by name.
///
/// What may be a secret never gets this far: secrets are ``Secret`` and print as `•••`.
package struct JSONLogHandler: LogHandler {
    package var metadata: Logger.Metadata = [:]
    package var metadataProvider: Logger.MetadataProvider?
    package var logLevel: Logger.Level

    private let service: String
    private let sink: LogSink

    /// - Parameters:
    ///   - service: The name in every line.
    ///   - level: The least severe level that is written.
    package init(service: String, level: Logger.Level, sink: LogSink = .standardError) {
        self.service = service
        self.logLevel = level
        self.sink = sink
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        var line: [UInt8] = []
        line.reserveCapacity(256)
        line.append(UInt8(ascii: "{"))
        JSONText.append("ts", Timestamp.now(), to: &line)
        JSONText.append("level", event.level.rawValue, to: &line)
        JSONText.append("service", service, to: &line)
        JSONText.append("msg", event.message.description, to: &line)
        if let error = event.error {
            JSONText.append("error", "\(error)", to: &line)
        }
        var fields = metadata
        if let provided = metadataProvider?.get() {
            fields.merge(provided) { _, last in last }
        }
        if let given = event.metadata {
            fields.merge(given) { _, last in last }
        }
        for (key, value) in fields.sorted(by: { $0.key < $1.key }) {
            line.append(UInt8(ascii: ","))
            JSONText.append(key, to: &line)
            line.append(UInt8(ascii: ":"))
            Self.append(value, to: &line)
        }
        line.append(contentsOf: "}\n".utf8)
        sink(line)
    }

    private static func append(_ value: Logger.Metadata.Value, to line: inout [UInt8]) {
        switch value {
        case .string(let text): JSONText.append(text, to: &line)
        case .stringConvertible(let value): JSONText.append(value.description, to: &line)
        case .array(let values):
            line.append(UInt8(ascii: "["))
            for (index, value) in values.enumerated() {
                if index > 0 { line.append(UInt8(ascii: ",")) }
                append(value, to: &line)
            }
            line.append(UInt8(ascii: "]"))
        case .dictionary(let values):
            line.append(UInt8(ascii: "{"))
            for (index, (key, value)) in values.sorted(by: { $0.key < $1.key }).enumerated() {
                if index > 0 { line.append(UInt8(ascii: ",")) }
                JSONText.append(key, to: &line)
                line.append(UInt8(ascii: ":"))
                append(value, to: &line)
            }
            line.append(UInt8(ascii: "}"))
        }
    }
}
