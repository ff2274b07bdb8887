package import Contracts

/// What a change came to, and its events as the store has them: with the times that it gave them. They are known by those when
/// they come by the broker, too.
package struct Stored<Value: Sendable>: Sendable {
    package var value: Value
    package var events: [DomainEvent]

    package init(_ value: Value, events: [DomainEvent]) {
        self.value = value
        self.events = events
    }
}
