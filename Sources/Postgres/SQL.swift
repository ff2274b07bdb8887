/// A statement and its parameters, written by interpolation: `"SELECT … WHERE id = \(id)"` binds `$1`.
///
/// The text comes from literals alone, so a statement that holds input as text does not compile. Fragments compose by
/// interpolation and by `+`; their parameters are numbered anew.
package struct SQL: Sendable {
    package enum Segment: Sendable {
        case text(StaticString)
        case parameter(PostgresValue)
    }

    package private(set) var segments: [Segment]

    /// Raw text that is known at compile time.
    package init(_ text: StaticString) {
        segments = [.text(text)]
    }

    /// Puts fragments together, with `separator` between them: `SQL(joining: conditions, separator: " AND ")`.
    package init(joining fragments: some Sequence<SQL>, separator: StaticString) {
        segments = []
        for fragment in fragments {
            if !segments.isEmpty { segments.append(.text(separator)) }
            segments += fragment.segments
        }
    }

    package static func + (left: SQL, right: SQL) -> SQL {
        var sum = left
        sum.segments += right.segments
        return sum
    }

    package static func += (left: inout SQL, right: SQL) {
        left.segments += right.segments
    }

    package var isEmpty: Bool { segments.isEmpty }
}

extension SQL: ExpressibleByStringInterpolation {
    package init(stringLiteral text: StaticString) {
        self.init(text)
    }

    package init(stringInterpolation: StringInterpolation) {
        segments = stringInterpolation.segments
    }

    package struct StringInterpolation: StringInterpolationProtocol {
        package typealias StringLiteralType = StaticString

        var segments: [Segment] = []

        package init(literalCapacity: Int, interpolationCount: Int) {
            segments.reserveCapacity(2 * interpolationCount + 1)
        }

        package mutating func appendLiteral(_ literal: StaticString) {
            if literal.utf8CodeUnitCount > 0 { segments.append(.text(literal)) }
        }

        /// Binds a parameter.
        package mutating func appendInterpolation(_ value: some PostgresEncodable) {
            segments.append(.parameter(value.postgresValue))
        }

        /// Binds a parameter that may be NULL.
        package mutating func appendInterpolation(_ value: (some PostgresEncodable)?) {
            segments.append(.parameter(value.postgresValue))
        }

        /// Inserts a fragment with its parameters.
        package mutating func appendInterpolation(_ fragment: SQL) {
            segments += fragment.segments
        }

        /// Inserts raw text that is known at compile time, a table's name for example.
        package mutating func appendInterpolation(unescaped text: StaticString) {
            segments.append(.text(text))
        }
    }
}

extension SQL: CustomStringConvertible {
    /// The text with `$1`, `$2`, … in place of the parameters.
    package var description: String { text }

    /// What is sent to the server.
    package var text: String {
        var text = ""
        text.reserveCapacity(segments.reduce(0) { $0 + $1.lengthEstimate })
        var position = 0
        for segment in segments {
            switch segment {
            case .text(let literal):
                literal.withUTF8Buffer { text.append(String(decoding: $0, as: UTF8.self)) }
            case .parameter:
                position += 1
                text.append("$")
                text.append(String(position))
            }
        }
        return text
    }

    package var parameterCount: Int {
        segments.reduce(0) { if case .parameter = $1 { $0 + 1 } else { $0 } }
    }
}

extension SQL.Segment {
    fileprivate var lengthEstimate: Int {
        switch self {
        case .text(let literal): literal.utf8CodeUnitCount
        case .parameter: 4
        }
    }
}
