internal import Foundation
internal import Yams

/// Any JSON, in memory: what a document is read into, changed in and written from.
package indirect enum JSONTree: Sendable, Hashable {
    case null
    case bool(Bool)
    case integer(Int)
    case number(Double)
    case text(String)
    case array([JSONTree])
    case object([String: JSONTree])

    /// The members of an object; of anything else there are none.
    package var members: [String: JSONTree] {
        if case .object(let members) = self { members } else { [:] }
    }

    package var elements: [JSONTree] {
        if case .array(let elements) = self { elements } else { [] }
    }

    package var text: String? {
        if case .text(let text) = self { text } else { nil }
    }

    /// A member of an object; setting one makes an object of anything else.
    package subscript(name: String) -> JSONTree? {
        get { members[name] }
        set {
            var members = members
            members[name] = newValue
            self = .object(members)
        }
    }

    /// The JSON text, its members in the order of their names.
    package func encoded() throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return Array(try encoder.encode(self))
    }
}

extension JSONTree {
    /// Reads YAML 1.1 as far as it is JSON. Keys may be numbers: they become texts.
    /// - Throws: what the parser says, or ``APIDocumentError`` for a value that JSON does not have.
    package init(yaml: String) throws {
        try self.init(value: try Yams.load(yaml: yaml))
    }

    private init(value: Any?) throws {
        switch value {
        case nil, is NSNull: self = .null
        case let value as Bool: self = .bool(value)
        case let value as Int: self = .integer(value)
        case let value as Double: self = .number(value)
        case let value as String: self = .text(value)
        case let value as [Any]: self = .array(try value.map { try JSONTree(value: $0) })
        case let value as [AnyHashable: Any]:
            var members: [String: JSONTree] = [:]
            for (key, member) in value { members["\(key)"] = try JSONTree(value: member) }
            self = .object(members)
        default:
            throw APIDocumentError(description: "\(value.map { "\($0)" } ?? "a value") is nothing that JSON has")
        }
    }
}

extension JSONTree: Codable {
    /// What the JSON text says; nil when it is none.
    package init?(json text: String) {
        guard let tree = try? JSONDecoder().decode(JSONTree.self, from: Data(text.utf8)) else { return nil }
        self = tree
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .bool(value)
        } else if let value = try? container.decode(Int.self) {
            self = .integer(value)
        } else if let value = try? container.decode(Double.self) {
            self = .number(value)
        } else if let value = try? container.decode(String.self) {
            self = .text(value)
        } else if let elements = try? container.decode([JSONTree].self) {
            self = .array(elements)
        } else {
            self = .object(try container.decode([String: JSONTree].self))
        }
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .null: try container.encodeNil()
        case .bool(let value): try container.encode(value)
        case .integer(let value): try container.encode(value)
        case .number(let value): try container.encode(value)
        case .text(let value): try container.encode(value)
        case .array(let elements): try container.encode(elements)
        case .object(let members): try container.encode(members)
        }
    }
}

extension JSONTree: ExpressibleByStringLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    package init(stringLiteral value: String) { self = .text(value) }
    package init(booleanLiteral value: Bool) { self = .bool(value) }
    package init(integerLiteral value: Int) { self = .integer(value) }
    package init(arrayLiteral elements: JSONTree...) { self = .array(elements) }
    package init(dictionaryLiteral elements: (String, JSONTree)...) {
        self = .object(Dictionary(elements) { _, last in last })
    }
}
