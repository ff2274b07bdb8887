import ConnectionKit
import Synchronization

/// Where callers leave batches for the publisher's thread.
final class PublisherMailbox: Sendable {
    /// The connection's state as callers see it.
    enum Phase: Sendable {
        /// The first attempt: batches wait for its outcome.
        case connecting
        case connected
        /// The broker takes nothing (memory or disk alarm): batches wait until their deadlines.
        case blocked
        /// Away: batches fail at once.
        case down
        /// Takes no more batches, has those confirmed that it has, then ends.
        case closing
    }

    private struct State {
        var phase = Phase.connecting
        var waiting: [Publication] = []
        /// Messages that wait here or at the thread.
        var messages = 0
    }

    private let state = Mutex(State())
    private let limit: Int
    let broker: String
    let doorbell: Doorbell
    let guardian = SocketGuard()

    init(limit: Int, broker: String) throws(SystemFailure) {
        self.limit = limit
        self.broker = broker
        doorbell = try Doorbell()
    }

    var phase: Phase { state.withLock { $0.phase } }

    /// Leaves a batch for the thread.
    func append(_ publication: Publication) throws(RabbitMQError) {
        let (phase, isFull) = state.withLock { state in
            guard state.phase != .down, state.phase != .closing else { return (state.phase, false) }
            // A batch larger than the limit still goes through, alone.
            guard state.messages == 0 || state.messages + publication.messages.count <= limit else {
                return (state.phase, true)
            }
            state.messages += publication.messages.count
            state.waiting.append(publication)
            return (state.phase, false)
        }
        guard !isFull else { throw RabbitMQError(.queueFull, "\(limit) messages wait for \(broker) already") }
        guard phase != .down, phase != .closing else {
            throw publication.error(.unavailable, "no connection to \(broker)")
        }
        doorbell.ring()
    }

    /// The thread's visit: takes all that waits.
    func take() -> [Publication] {
        state.withLock { state in
            defer { state.waiting = [] }
            return state.waiting
        }
    }

    /// The thread has sent these, or dropped them.
    func finished(messages: Int) {
        state.withLock { $0.messages -= messages }
    }

    /// The connection's state changed; what waits fails when it is lost.
    func enter(_ phase: Phase) {
        let failed = state.withLock { state -> [Publication] in
            if state.phase != .closing { state.phase = phase }
            guard phase == .down else { return [] }
            defer { state.waiting = [] }
            for publication in state.waiting { state.messages -= publication.messages.count }
            return state.waiting
        }
        for publication in failed { publication.fail(.unavailable, "no connection to \(broker)") }
    }

    /// Begins the end.
    func close() {
        state.withLock { $0.phase = .closing }
        doorbell.ring()
    }
}
