internal import Foundation
internal import Synchronization

/// The users of whom this process has seen that they signed in since the ramp began. Bounded; who is forgotten is remembered
/// with their next request.
final class WarmupGuests: Sendable {
    private static let limit = 20_000

    private struct State {
        var started = Date.distantPast
        var users: Set<UUID> = []
    }

    private let state = Mutex(State())

    func add(_ user: UUID, of started: Date) {
        state.withLock { state in
            if state.started != started || state.users.count >= Self.limit { state = State(started: started) }
            state.users.insert(user)
        }
    }

    func contains(_ user: UUID) -> Bool {
        state.withLock { $0.users.contains(user) }
    }
}
