import Postgres

/// What a request says of a field that may be empty. In JSON, what is absent stays, null clears, and a value replaces.
package enum FieldChange<Value: Sendable & Hashable>: Sendable, Hashable {
    case keep
    case clear
    case set(Value)

    /// The new value, where there is one.
    package var value: Value? {
        if case .set(let value) = self { value } else { nil }
    }
}

extension FieldChange<String> {
    /// The change of a name that may be one; null clears it, a blank one is none.
    /// - Throws: ``IdentityError/invalid(_:)``
    func acceptedName() throws(IdentityError) -> FieldChange {
        guard case .set(let text) = self else { return self }
        guard let name = try PersonName.accept(text) else {
            throw .invalid("name", "must not be empty: null clears it")
        }
        return .set(name)
    }
}

extension FieldChange where Value: PostgresEncodable {
    /// What a column becomes, in the statement that changes it.
    func sql(of column: StaticString) -> SQL {
        switch self {
        case .keep: "\(unescaped: column)"
        case .clear: "NULL"
        case .set(let value): "\(value)"
        }
    }
}

extension KeyedDecodingContainer {
    func decodeChange<Value: Decodable & Sendable & Hashable>(
        _ type: Value.Type, forKey key: Key
    ) throws -> FieldChange<Value> {
        guard contains(key) else { return .keep }
        return try decodeNil(forKey: key) ? .clear : .set(decode(type, forKey: key))
    }
}
