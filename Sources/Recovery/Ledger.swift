import Foundation
import Synchronization

/// What the suite has acknowledged, and what the load holds because of it.
final class Ledger: Sendable {
    /// A session that somebody uses: one at a time refreshes it.
    struct Held: Sendable {
        var access: String
        var refresh: String
    }

    private struct State {
        var samples: [Sample] = []
        var users: [String] = []
        var sessions: [Held] = []
        var toEnd: [Held] = []
        var ended: [(token: String, at: Double)] = []
        var registered: [String] = []
        var lost: [String] = []
        var accepted: [String] = []
    }

    private let state = Mutex(State())

    func add(_ sample: Sample) { state.withLock { $0.samples.append(sample) } }
    var samples: [Sample] { state.withLock { $0.samples } }

    func add(user: String, id: String) {
        state.withLock { state in
            state.registered.append(id)
            // A pool that stays as large as it is: the others only count.
            if state.users.count < 50 { state.users.append(user) }
        }
    }

    func user(_ number: Int) -> String? {
        state.withLock { $0.users.isEmpty ? nil : $0.users[number % $0.users.count] }
    }

    var registered: [String] { state.withLock { $0.registered } }

    /// Takes a session out, for the time of one refresh.
    func takeSession() -> Held? { state.withLock { $0.sessions.isEmpty ? nil : $0.sessions.removeFirst() } }
    func give(_ session: Held) { state.withLock { $0.sessions.append(session) } }
    /// Any session's access token.
    func accessToken(_ number: Int) -> String? {
        state.withLock { $0.sessions.isEmpty ? nil : $0.sessions[number % $0.sessions.count].access }
    }

    /// A session for somebody to sign out of.
    func giveToEnd(_ session: Held) {
        state.withLock { if $0.toEnd.count < 500 { $0.toEnd.append(session) } }
    }
    func takeToEnd() -> Held? { state.withLock { $0.toEnd.popLast() } }

    func ended(_ token: String, at: Double) {
        state.withLock { state in
            state.ended.append((token, at))
            if state.ended.count > 200 { state.ended.removeFirst() }
        }
    }

    /// A token that was signed out long enough ago to be refused everywhere.
    func endedToken(before: Double, _ number: Int) -> String? {
        state.withLock { state in
            let old = state.ended.filter { $0.at < before }
            return old.isEmpty ? nil : old[number % old.count].token
        }
    }

    /// A session that was acknowledged and is refused now.
    func lost(_ what: String) { state.withLock { $0.lost.append(what) } }
    var lost: [String] { state.withLock { $0.lost } }
    /// A token that was signed out and is taken.
    func accepted(_ what: String) { state.withLock { $0.accepted.append(what) } }
    var accepted: [String] { state.withLock { $0.accepted } }
}
