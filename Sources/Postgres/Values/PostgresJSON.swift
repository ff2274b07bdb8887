import Foundation

/// A value that is stored as JSON: `\(PostgresJSON(settings))` writes it, `row.decode(PostgresJSON<Settings>.self, …)`
/// reads it, from columns of type jsonb and json. Property names become snake_case, dates ISO 8601 text.
package struct PostgresJSON<Value: Codable & Sendable>: Sendable {
    package let value: Value

    package init(_ value: Value) {
        self.value = value
    }
}

extension PostgresJSON: PostgresEncodable {
    package static var postgresType: PostgresType { .jsonb }

    package var postgresValue: PostgresValue {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.dateEncodingStrategy = .iso8601
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard let data = try? encoder.encode(value) else {
            preconditionFailure("\(Value.self) cannot be encoded as JSON (NaN, or a Codable of its own that throws)")
        }
        return .typedText(.jsonb, String(decoding: data, as: UTF8.self))
    }
}

extension PostgresJSON: PostgresDecodable {
    package init(cell: PostgresCell) throws(PostgresCellMismatch) {
        let text = try String(cell: cell)
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        decoder.dateDecodingStrategy = .iso8601
        do {
            value = try decoder.decode(Value.self, from: Data(text.utf8))
        } catch {
            throw PostgresCellMismatch("the JSON is not a \(Value.self)")
        }
    }
}
