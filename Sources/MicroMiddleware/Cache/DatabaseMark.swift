package import Foundation

/// How far a database has come, and which one it is: a service writes it every few seconds and remembers it elsewhere, so
/// that it knows a database which was set back.
package struct DatabaseMark: Sendable, Hashable, Codable {
    /// `pg_control_system()`: given when a cluster is made.
    package var system: String
    /// Rises with each recovery and each promotion.
    package var timeline: String
    /// By the database's clock.
    package var markedAt: Date

    package init(system: String, timeline: String, markedAt: Date) {
        self.system = system
        self.timeline = timeline
        self.markedAt = markedAt
    }
}

/// What a database turns out to be.
package enum DatabaseVerdict: Sendable, Hashable {
    /// The one that we know.
    case same
    /// A standby that took over, or a restore that has lost next to nothing: what was cached may have been lost in it.
    case promoted
    /// One that was set back, with the reason.
    case restored(String)

    /// Marks are written every few seconds, and asynchronous replication may lose the last of them.
    package static let slack: TimeInterval = 15

    /// - Parameters:
    ///   - present: the server that answers: which it is, and its newest mark.
    ///   - written: what the row says of the server that it was written on; `nil` in a database that has no mark yet.
    ///   - remembered: the newest mark that this process or Redis knows of; `nil` when neither does.
    package init(present: DatabaseMark, written: DatabaseMark?, remembered: DatabaseMark?) {
        guard let written else {
            // A database without any mark is a new one, unless somebody remembers that there was one.
            self = remembered == nil ? .same : .restored("the database is another one")
            return
        }
        if let remembered, remembered.markedAt.timeIntervalSince(written.markedAt) > Self.slack {
            let lost = Int(remembered.markedAt.timeIntervalSince(written.markedAt).rounded())
            self = .restored("the database was set back by \(lost) s")
        } else if present.system != written.system {
            self = .restored("the database was moved into another cluster")
        } else if present.timeline != written.timeline {
            self = .promoted
        } else {
            self = .same
        }
    }
}
