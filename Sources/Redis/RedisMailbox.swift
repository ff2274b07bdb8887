import ConnectionKit
import Synchronization

/// A command on its way: what to send, by when, and where the answer goes.
final class RedisRequest: Sendable {
    let command: [RedisArgument]
    let deadline: Deadline
    let slot = ReplySlot<RedisValue, RedisError>()

    init(command: [RedisArgument], deadline: Deadline) {
        self.command = command
        self.deadline = deadline
    }
}

/// Where callers leave commands for a connection's thread: what waits there goes out in one write.
final class RedisMailbox: Sendable {
    /// The connection's state as callers see it.
    enum Phase: Sendable {
        /// The first attempt: commands wait for its outcome.
        case connecting
        case connected
        /// Away: commands fail at once.
        case down
        /// Takes no more commands, answers those it has, then ends.
        case closing
    }

    private struct State {
        var phase = Phase.connecting
        var waiting: [RedisRequest] = []
        /// Sent and not answered, as of the thread's last visit.
        var inFlight = 0
        /// Whether the thread is about to poll, or polls, and must be rung.
        var sleeps = false
    }

    private let state = Mutex(State())
    private let limit: Int
    private let server: String
    let doorbell: Doorbell

    init(limit: Int, server: String) throws(SystemFailure) {
        self.limit = limit
        self.server = server
        doorbell = try Doorbell()
    }

    var phase: Phase {
        state.withLock { $0.phase }
    }

    /// Leaves a command for the thread.
    ///
    /// - Returns: the phase it was left in, `connecting` or `connected`.
    /// - Throws: `unavailable` or `queueFull`; the command is not kept then.
    func append(_ request: RedisRequest) throws(RedisError) -> Phase {
        let (phase, isFull, mustRing) = state.withLock { state in
            guard state.phase == .connecting || state.phase == .connected else { return (state.phase, false, false) }
            guard state.waiting.count + state.inFlight < limit else { return (state.phase, true, false) }
            state.waiting.append(request)
            defer { state.sleeps = false }
            return (state.phase, false, state.sleeps)
        }
        if mustRing { doorbell.ring() }
        guard !isFull else { throw RedisError(.queueFull, "\(limit) commands wait for \(server) already") }
        guard phase == .connecting || phase == .connected else { throw unavailable(outcomeUnknown: false) }
        return phase
    }

    /// The thread's visit: takes all that waits.
    func take(inFlight: Int) -> [RedisRequest] {
        state.withLock { state in
            state.sleeps = false
            guard !state.waiting.isEmpty else {
                state.inFlight = inFlight
                return []
            }
            let taken = state.waiting
            state.waiting = []
            state.waiting.reserveCapacity(min(taken.count, 256))
            state.inFlight = inFlight + taken.count
            return taken
        }
    }

    /// Announces that the thread is going to poll. `false`: something waits, so it must not.
    func fallAsleep() -> Bool {
        state.withLock { state in
            guard state.waiting.isEmpty else { return false }
            state.sleeps = true
            return true
        }
    }

    /// The connection stands or is lost; what waits fails in the latter case.
    func enter(_ phase: Phase) {
        let failed = state.withLock { state -> [RedisRequest] in
            if state.phase != .closing { state.phase = phase }
            guard phase != .connected else { return [] }
            state.inFlight = 0
            defer { state.waiting = [] }
            return state.waiting
        }
        for request in failed { request.slot.resolve(.failure(unavailable(outcomeUnknown: false))) }
    }

    /// Begins the end.
    func close() {
        state.withLock { $0.phase = .closing }
        doorbell.ring()
    }

    func unavailable(outcomeUnknown: Bool) -> RedisError {
        RedisError(
            .unavailable(outcomeUnknown: outcomeUnknown),
            outcomeUnknown ? "the connection to \(server) broke before the answer" : "no connection to \(server)")
    }
}
