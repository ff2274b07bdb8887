import Foundation
import Synchronization

/// What the suite has acknowledged, and what the load holds because of it.
package final class Ledger: Sendable {
    /// A session that somebody uses: one at a time refreshes it.
    struct Held: Sendable {
        let user: String
        var access: String
        var refresh: String
        /// The refresh that has had no answer yet: it is asked again under the same id, as one would who wants to know.
        var pending: String?
        /// Since when that refresh, or else the sign-out, may have happened: when it was first asked for.
        var askedSince: Date?
    }

    /// A change that was acknowledged, and what the trail must have of it, exactly once.
    struct Change: Sendable {
        let service: String
        let action: String
        /// The request id, or of a sign-out the session: ending it twice is as good as once.
        let key: String
        /// Seconds since the load began, and the time, when it was acknowledged.
        let at: Double
        let acknowledgedAt: Date
        /// When it was first asked for: the answer may have been lost, and the next one have come minutes later.
        let askedSince: Date
    }

    private struct State {
        var samples: [Sample] = []
        var users: [(name: String, id: String)] = []
        var authenticators: [Authenticator] = []
        var sessions: [Held] = []
        var toEnd: [Held] = []
        var ended: [(token: String, at: Double)] = []
        var changes: [Change] = []
        var lost: [String] = []
        var accepted: [String] = []
    }

    private let state = Mutex(State())

    func add(_ sample: Sample) { state.withLock { $0.samples.append(sample) } }
    package var samples: [Sample] { state.withLock { $0.samples } }

    func add(_ change: Change) { state.withLock { $0.changes.append(change) } }
    var changes: [Change] { state.withLock { $0.changes } }

    /// A pool that stays as large as it is: the others only count.
    func add(user: String, id: String) {
        state.withLock { if $0.users.count < 200 { $0.users.append((user, id)) } }
    }

    func user(_ number: Int) -> (name: String, id: String)? {
        state.withLock { $0.users.isEmpty ? nil : $0.users[number % $0.users.count] }
    }

    /// Somebody with a second factor.
    func add(_ authenticator: Authenticator) { state.withLock { $0.authenticators.append(authenticator) } }

    /// The address of one of them: they take turns.
    func authenticatorUser(_ number: Int) -> String? {
        state.withLock { $0.authenticators.isEmpty ? nil : $0.authenticators[number % $0.authenticators.count].user }
    }

    /// The next code of the same one; nil when all that would be taken now have been shown.
    func code(of number: Int, at now: Date) -> String? {
        state.withLock { state in
            guard !state.authenticators.isEmpty else { return nil }
            return state.authenticators[number % state.authenticators.count].code(at: now)
        }
    }

    /// Takes a session out, for the time of one refresh.
    func takeSession() -> Held? { state.withLock { $0.sessions.isEmpty ? nil : $0.sessions.removeFirst() } }
    func give(_ session: Held) { state.withLock { $0.sessions.append(session) } }
    /// Any session that is not being refreshed.
    func session(_ number: Int) -> Held? {
        state.withLock { $0.sessions.isEmpty ? nil : $0.sessions[number % $0.sessions.count] }
    }
    var sessions: [Held] { state.withLock { $0.sessions } }

    /// A session for somebody to sign out of.
    func giveToEnd(_ session: Held) {
        state.withLock { if $0.toEnd.count < 500 { $0.toEnd.append(session) } }
    }
    func takeToEnd() -> Held? { state.withLock { $0.toEnd.popLast() } }

    func ended(_ token: String, at: Double) { state.withLock { $0.ended.append((token, at)) } }
    /// Every access token that was signed out.
    var ended: [String] { state.withLock { $0.ended.map(\.token) } }

    /// A token that was signed out long enough ago to be refused everywhere; one of the latest two hundred.
    func endedToken(before: Double, _ number: Int) -> String? {
        state.withLock { state in
            let old = state.ended.suffix(200).filter { $0.at < before }
            return old.isEmpty ? nil : old[number % old.count].token
        }
    }

    /// A session that was acknowledged and is refused now.
    func lost(_ what: String) { state.withLock { $0.lost.append(what) } }
    package var lost: [String] { state.withLock { $0.lost } }
    /// A token that was signed out and is taken, or somebody let in without the second factor.
    func accepted(_ what: String) { state.withLock { $0.accepted.append(what) } }
    package var accepted: [String] { state.withLock { $0.accepted } }
}
