/// A value that must not be seen: it prints as `•••` and gives itself up only where ``reveal()`` is written.
package struct Secret<Value: Sendable>: Sendable {
    private let value: Value

    package init(_ value: Value) {
        self.value = value
    }

    /// The value itself. Each call is a place that a reviewer looks at.
    package func reveal() -> Value { value }
}

extension Secret: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String { "•••" }
    package var debugDescription: String { "•••" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}

extension Secret<String> {
    /// Whether the two texts are the same bytes, in a time that depends only on their lengths.
    package func matches(_ other: String) -> Bool {
        equalInConstantTime(value.utf8, other.utf8)
    }
}

extension Secret<[UInt8]> {
    /// Whether the two are the same bytes, in a time that depends only on their lengths.
    package func matches(_ other: [UInt8]) -> Bool {
        equalInConstantTime(value, other)
    }
}

private func equalInConstantTime(_ left: some Collection<UInt8>, _ right: some Collection<UInt8>) -> Bool {
    guard left.count == right.count else { return false }
    var difference: UInt8 = 0
    for (one, other) in zip(left, right) {
        difference |= one ^ other
    }
    return difference == 0
}
