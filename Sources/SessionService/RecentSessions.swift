package import Foundation
import Synchronization

/// The sessions that this process has refreshed or opened lately, for when the database is down.
///
/// Bounded: two halves, of which the older is dropped when the younger is full. A session that is not here any more gets
/// a 503 instead of a degraded token.
package final class RecentSessions: Sendable {
    /// How long after the database was last asked about a session its answer may still be used.
    package static let maximumAge = Duration.seconds(3_600)

    private struct Entry {
        var session: Session
        var seenAt: Date
    }

    private struct State {
        var young: [UUID: Entry] = [:]
        var old: [UUID: Entry] = [:]
    }

    private let halfCapacity: Int
    private let state = Mutex(State())

    package init(capacity: Int = 8_192) {
        halfCapacity = max(1, capacity / 2)
    }

    /// Keeps the session as the database has just confirmed it.
    package func remember(_ session: Session, at now: Date) {
        state.withLock { state in
            if state.young.count >= halfCapacity, state.young[session.id] == nil {
                state.old = state.young
                state.young = [:]
            }
            state.young[session.id] = Entry(session: session, seenAt: now)
        }
    }

    package func forget(_ id: UUID) {
        state.withLock { state in
            state.young[id] = nil
            state.old[id] = nil
        }
    }

    /// The session, when the token is its present one or the one before, it has not expired, and it was seen lately.
    package func session(for claim: RefreshClaim, at now: Date) -> Session? {
        let entry = state.withLock { $0.young[claim.sessionID] ?? $0.old[claim.sessionID] }
        guard let entry, entry.session.isAlive(at: now),
            now < entry.seenAt + Self.maximumAge.timeInterval,
            claim.generation >= entry.session.generation - 1
        else { return nil }
        return entry.session
    }
}
