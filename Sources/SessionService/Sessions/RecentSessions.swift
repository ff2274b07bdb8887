package import Foundation
import MicroMiddleware
import Synchronization

/// The sessions that this process has refreshed or opened lately, for when the database is down.
///
/// Bounded: two halves, of which the older is dropped when the younger is full. Of a session that is not here any more
/// its refresh token has to tell.
package final class RecentSessions: Sendable {
    /// What this process knows of a refresh token.
    package enum Recollection: Sendable, Equatable {
        /// It is the session's present one or the one before, the session has not expired, and it was seen lately.
        case present(Session)
        /// The session's, but an older one; or the session's hour or life is over.
        case superseded
        case unknown
    }

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

    package func recall(_ claim: RefreshClaim, at now: Date) -> Recollection {
        let entry = state.withLock { $0.young[claim.sessionID] ?? $0.old[claim.sessionID] }
        guard let entry else { return .unknown }
        guard entry.session.isAlive(at: now), now < entry.seenAt + RefreshGrant.maximumAge.timeInterval,
            claim.generation >= entry.session.generation - 1
        else { return .superseded }
        // A token from the future of what is remembered was rotated by another replica: it tells for itself.
        return claim.generation > entry.session.generation ? .unknown : .present(entry.session)
    }
}
