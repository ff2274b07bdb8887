package import MicroMiddleware

/// What a tenant's custom fields are: whatever is not named in it is not taken.
package struct CustomFieldSchema: Sendable, Equatable, Codable {
    package static let maximumFields = FieldRules.maximumEntries

    package var fields: [String: CustomField]

    package init(fields: [String: CustomField]) {
        self.fields = fields
    }

    /// Everything that is wrong with the values, as violations that name `custom_fields.x`.
    package func violations(_ values: [String: Scalar]) -> [Violation] {
        var found: [Violation] = []
        for (name, value) in values.sorted(by: { $0.key < $1.key }) {
            let fault = fields[name].map { $0.fault(value) } ?? "is no field of this tenant"
            if let fault { found.append(Violation(field: "custom_fields.\(name)", message: fault)) }
        }
        for (name, field) in fields.sorted(by: { $0.key < $1.key }) where field.isRequired && values[name] == nil {
            found.append(Violation(field: "custom_fields.\(name)", message: "is missing"))
        }
        return found
    }

    /// What is wrong with the schema itself.
    package var faults: [Violation] {
        guard fields.count <= Self.maximumFields else {
            return [Violation(field: "fields", message: "has more than \(Self.maximumFields) entries")]
        }
        return fields.sorted { $0.key < $1.key }.flatMap { name, field -> [Violation] in
            guard name.wholeMatch(of: /[a-z][a-z0-9_]{0,63}/) != nil else {
                return [
                    Violation(
                        field: "fields", message: "has a name that is not 1 to 64 of a-z, 0-9 and _, a letter first")
                ]
            }
            return field.faults.map { Violation(field: "fields.\(name).\($0.field)", message: $0.message) }
        }
    }
}

/// One custom field: the part of JSON Schema that a form can show.
package struct CustomField: Sendable, Equatable, Codable {
    package enum Kind: String, Sendable, Codable, CaseIterable {
        case string, number, integer, boolean
    }

    package var type: Kind
    package var isRequired: Bool
    /// The values that it may have.
    package var options: [Scalar]?
    /// Characters of a string.
    package var minimumLength: Int?
    package var maximumLength: Int?
    /// Of a number or an integer.
    package var minimum: Double?
    package var maximum: Double?
    /// For whoever fills it in.
    package var title: String?

    package enum CodingKeys: String, CodingKey {
        case type, minimum, maximum, title
        case isRequired = "required"
        case options = "enum"
        case minimumLength = "min_length"
        case maximumLength = "max_length"
    }

    package init(
        type: Kind, isRequired: Bool = false, options: [Scalar]? = nil, minimumLength: Int? = nil,
        maximumLength: Int? = nil, minimum: Double? = nil, maximum: Double? = nil, title: String? = nil
    ) {
        self.type = type
        self.isRequired = isRequired
        self.options = options
        self.minimumLength = minimumLength
        self.maximumLength = maximumLength
        self.minimum = minimum
        self.maximum = maximum
        self.title = title
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        let name = try container.decode(String.self, forKey: .type)
        guard let type = Kind(rawValue: name) else {
            throw DecodingError.dataCorruptedError(
                forKey: .type, in: container, debugDescription: "must be string, number, integer or boolean")
        }
        self.init(
            type: type, isRequired: try container.decodeIfPresent(Bool.self, forKey: .isRequired) ?? false,
            options: try container.decodeIfPresent([Scalar].self, forKey: .options),
            minimumLength: try container.decodeIfPresent(Int.self, forKey: .minimumLength),
            maximumLength: try container.decodeIfPresent(Int.self, forKey: .maximumLength),
            minimum: try container.decodeIfPresent(Double.self, forKey: .minimum),
            maximum: try container.decodeIfPresent(Double.self, forKey: .maximum),
            title: try container.decodeIfPresent(String.self, forKey: .title))
    }

    /// What is wrong with a value; nil when nothing is.
    func fault(_ value: Scalar) -> String? {
        switch (type, value) {
        case (.string, .text(let text)):
            if let minimumLength, text.count < minimumLength { return "must have at least \(minimumLength) characters" }
            if let maximumLength, text.count > maximumLength { return "must have at most \(maximumLength) characters" }
        case (.number, .number(let number)), (.integer, .number(let number)):
            if type == .integer, number.rounded() != number { return "must be an integer" }
            if let minimum, number < minimum { return "must be at least \(minimum.formatted)" }
            if let maximum, number > maximum { return "must be at most \(maximum.formatted)" }
        case (.boolean, .truth): break
        case (.string, _): return "must be a string"
        case (.number, _): return "must be a number"
        case (.integer, _): return "must be an integer"
        case (.boolean, _): return "must be true or false"
        }
        if let options, !options.contains(value) {
            return "must be one of \(options.map(\.description).joined(separator: ", "))"
        }
        return nil
    }

    /// What is wrong with the field's own description.
    var faults: [Violation] {
        var found: [Violation] = []
        func fault(_ key: CodingKeys, _ message: String) {
            found.append(Violation(field: key.rawValue, message: message))
        }
        if let title, title.count > 100 || title.utf8.contains(0) { fault(.title, "is longer than 100 characters") }
        for (key, length) in [(CodingKeys.minimumLength, minimumLength), (.maximumLength, maximumLength)] {
            guard let length else { continue }
            if type != .string { fault(key, "is for strings") }
            if !(0...FieldRules.maximumValueLength).contains(length) {
                fault(key, "must be 0 to \(FieldRules.maximumValueLength)")
            }
        }
        for (key, bound) in [(CodingKeys.minimum, minimum), (.maximum, maximum)] where bound != nil {
            if type != .number && type != .integer { fault(key, "is for numbers and integers") }
        }
        if let minimumLength, let maximumLength, minimumLength > maximumLength {
            fault(.maximumLength, "must not be below min_length")
        }
        if let minimum, let maximum, minimum > maximum { fault(.maximum, "must not be below minimum") }
        if let options {
            if !(1...100).contains(options.count) { fault(.options, "must have 1 to 100 values") }
            var plain = self
            plain.options = nil
            if options.contains(where: { plain.fault($0) != nil }) {
                fault(.options, "has a value that the rest of the field does not allow")
            }
        }
        return found
    }
}

extension Scalar: CustomStringConvertible {
    package var description: String {
        switch self {
        case .text(let text): text
        case .number(let number): number.formatted
        case .truth(let truth): "\(truth)"
        }
    }
}

extension Double {
    /// Without a fraction where there is none.
    fileprivate var formatted: String {
        self == rounded() && abs(self) < 1e15 ? "\(Int64(self))" : "\(self)"
    }
}
