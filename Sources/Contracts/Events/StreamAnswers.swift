/// Where a source's stream ends: the answer of `GET /api/v1/internal/events/head`.
package struct StreamHeadAnswer: Sendable, Codable, Hashable {
    package let source: EventSource
    /// The last position; 0 when there is none yet.
    package let position: Int64
    /// The hash at that position, in hexadecimal.
    package let hash: String

    package init(source: EventSource, position: Int64, hash: String) {
        self.source = source
        self.position = position
        self.hash = hash
    }
}

/// A part of a source's stream: the answer of `GET /api/v1/internal/events?after=`.
package struct StreamEventsAnswer: Sendable, Codable {
    package let source: EventSource
    /// CloudEvents as they were or would have been published, each as a text, because its bytes are what was hashed.
    /// Empty when there is nothing after the position asked for.
    package let events: [String]

    package init(source: EventSource, events: [String]) {
        self.source = source
        self.events = events
    }
}

/// How far the audit trail is complete: the body of `POST /api/v1/internal/events/reconciled`.
package struct StreamReconciled: Sendable, Codable {
    package let position: Int64

    package init(position: Int64) {
        self.position = position
    }
}
