import MicroMiddleware
package import Foundation

/// The place of one event in its source's stream.
package struct StreamPlace: Sendable, Hashable {
    package let position: Int64
    package let eventID: UUID
    package let previousHash: [UInt8]
    package let hash: [UInt8]

    package init(position: Int64, eventID: UUID, previousHash: [UInt8], hash: [UInt8]) {
        self.position = position
        self.eventID = eventID
        self.previousHash = previousHash
        self.hash = hash
    }
}

/// How complete a source's stream is: a pure state machine over the places of stored events.
package struct StreamProgress: Sendable, Hashable {
    package let source: String
    /// Everything up to here is stored and linked.
    package private(set) var completeTo: Int64
    /// The hash at that position.
    package private(set) var hash: [UInt8]
    /// The highest position stored.
    package private(set) var highest: Int64
    /// Stored beyond the first gap.
    package private(set) var ahead: [Int64: StreamPlace]
    /// What contradicts what; the first such finding stays.
    package private(set) var conflict: Conflict?

    package struct Conflict: Sendable, Hashable {
        package let position: Int64
        package let reason: String
    }

    package init(
        source: String, completeTo: Int64 = 0, hash: [UInt8] = StreamLink.genesis, highest: Int64 = 0,
        ahead: [Int64: StreamPlace] = [:], conflict: Conflict? = nil
    ) {
        self.source = source
        self.completeTo = completeTo
        self.hash = hash
        self.highest = highest
        self.ahead = ahead
        self.conflict = conflict
    }

    /// Whether positions are missing below one that is stored.
    package var hasGap: Bool { highest > completeTo }

    /// Takes in the place of an event that is new in the trail.
    package mutating func add(_ place: StreamPlace) {
        guard place.position > completeTo, ahead[place.position] == nil else {
            // Its id was new, so somebody else has had this position.
            note(place.position, "two different events claim this position")
            return
        }
        highest = max(highest, place.position)
        ahead[place.position] = place
        advance()
    }

    private mutating func advance() {
        while let next = ahead[completeTo + 1] {
            guard next.previousHash == hash else {
                note(next.position, "the event is not linked to the one before it")
                return
            }
            ahead[next.position] = nil
            completeTo = next.position
            hash = next.hash
        }
    }

    /// Compares with what the source says of its head.
    package mutating func compare(headPosition: Int64, headHash: [UInt8]) {
        if headPosition < completeTo {
            note(headPosition, "the source has fewer events than the audit trail")
        } else if headPosition == completeTo, headHash != hash {
            note(headPosition, "the source's hash at this position is another")
        }
    }

    private mutating func note(_ position: Int64, _ reason: String) {
        if conflict == nil { conflict = Conflict(position: position, reason: reason) }
    }
}
