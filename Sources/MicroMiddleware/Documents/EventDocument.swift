internal import Contracts
internal import Foundation

/// The AsyncAPI 3.0 document of the events on RabbitMQ, made of `asyncapi/events.yaml`.
package struct EventDocument: Sendable {
    /// What each type of event tells, by its name: also the routing key.
    package let summaries: [String: String]
    private let dataSchemas: [String: String]
    private let schemas: [String: JSONTree]

    /// - Parameter directory: where `asyncapi/events.yaml` lies.
    /// - Throws: ``APIDocumentError`` naming the file.
    package init(directory: String) throws {
        let path = "\(directory)/asyncapi/events.yaml"
        guard let yaml = try? String(contentsOfFile: path, encoding: .utf8), let source = try? JSONTree(yaml: yaml)
        else { throw APIDocumentError(description: "\(path) cannot be read (openapi.directory)") }
        var summaries: [String: String] = [:]
        var dataSchemas: [String: String] = [:]
        for (type, entry) in source["events"]?.members ?? [:] {
            guard let summary = entry.text ?? entry["summary"]?.text else {
                throw APIDocumentError(description: "\(path): \(type) has no summary")
            }
            summaries[type] = summary
            dataSchemas[type] = entry["data"]?.text
        }
        self.summaries = summaries
        self.dataSchemas = dataSchemas
        schemas = source["schemas"]?.members ?? [:]
    }

    /// The document as it is served.
    package var tree: JSONTree {
        var messages: [String: JSONTree] = [:]
        for (type, summary) in summaries { messages[type] = message(type, summary) }
        let references = messages.keys.sorted().map { name in
            (name, ["$ref": .text("#/components/messages/\(name)")] as JSONTree)
        }
        let channel: JSONTree = [
            "address": .text(EventTopology.exchange),
            "description":
                "A topic exchange; the routing key is the event's type, so that a binding selects by its words.",
            "messages": .object(Dictionary(uniqueKeysWithValues: references)),
            "bindings": [
                "amqp": [
                    "is": "routingKey", "bindingVersion": "0.3.0",
                    "exchange": ["name": .text(EventTopology.exchange), "type": "topic", "durable": true],
                ]
            ],
        ]
        return [
            "asyncapi": "3.0.0",
            "info": [
                "title": "authms events", "version": "1",
                "description": """
                Everything that changes is told here, in a numbered and hash-chained stream for each source. An event may come
                twice: its id says so. `Tests/EndToEnd/test_events.py` reads it with a stock client.
                """,
            ],
            "defaultContentType": "application/cloudevents+json", "channels": ["events": channel],
            "operations": [
                "publish": ["action": "send", "channel": ["$ref": "#/channels/events"]]
            ],
            "components": ["messages": .object(messages), "schemas": .object(schemas)],
        ]
    }

    private func message(_ type: String, _ summary: String) -> JSONTree {
        var parts: [JSONTree] = [["$ref": "#/components/schemas/EventDetail"]]
        if let name = dataSchemas[type] { parts.append(["$ref": .text("#/components/schemas/\(name)")]) }
        let narrowed: JSONTree = ["properties": ["type": ["const": .text(type)], "data": ["allOf": .array(parts)]]]
        return [
            "name": .text(type), "summary": .text(summary), "contentType": "application/cloudevents+json",
            "payload": ["allOf": [["$ref": "#/components/schemas/CloudEvent"], narrowed]],
        ]
    }
}
