import ConnectionKit
import Synchronization

/// A batch of deliveries on its way to the handler.
struct DeliveryBatch: Sendable {
    /// Which connection delivered it: verdicts count on no other.
    let generation: Int
    let deliveries: [Delivery]
}

/// Where the handler's side and the connection's thread of a consumer meet: verdicts, and the wish to consume or not.
final class ConsumerDesk: Sendable {
    /// How the end was asked for.
    enum Ending: Comparable, Sendable {
        /// Finish what has been delivered.
        case graceful
        /// At once: the task is cancelled.
        case immediate
    }

    /// What the thread finds on its visit.
    struct Visit {
        var settled: [(batch: DeliveryBatch, verdicts: [DeliveryVerdict])] = []
        var wantsDeliveries = true
        var ending: Ending?
    }

    private struct State {
        var visit = Visit()
        var isPaused = false
        var isHandlerFailing = false
        var generation = 0
        var isReady = false
        var doorbell: Doorbell?
    }

    private let state = Mutex(State())

    /// To be rung at each change from now on.
    func install(_ doorbell: Doorbell) {
        state.withLock { $0.doorbell = doorbell }
    }

    func pause(_ isPaused: Bool) {
        change { $0.isPaused = isPaused }
    }

    func end(_ ending: Ending) {
        change { $0.visit.ending = max($0.visit.ending ?? .graceful, ending) }
    }

    var ending: Ending? { state.withLock { $0.visit.ending } }

    /// The handler cannot work at present: its batch stays unsettled, and no more come.
    func handlerFailed() {
        change { $0.isHandlerFailing = true }
    }

    func settle(_ batch: DeliveryBatch, _ verdicts: [DeliveryVerdict]) {
        change { state in
            state.isHandlerFailing = false
            state.visit.settled.append((batch, verdicts))
        }
    }

    /// The batch belongs to a connection that is gone.
    func isStale(_ batch: DeliveryBatch) -> Bool {
        state.withLock { $0.generation != batch.generation }
    }

    /// The handler's side gives a stale batch up.
    func forget() {
        change { $0.isHandlerFailing = false }
    }

    /// The thread's visit: takes the verdicts.
    func visit() -> Visit {
        state.withLock { state in
            defer { state.visit.settled = [] }
            state.visit.wantsDeliveries = !state.isPaused && !state.isHandlerFailing && state.visit.ending == nil
            return state.visit
        }
    }

    /// A new connection: what the last one delivered is stale.
    func nextGeneration() -> Int {
        state.withLock { state in
            state.generation += 1
            return state.generation
        }
    }

    /// Whether the consumer is subscribed, or would be but for a pause.
    var isReady: Bool {
        get { state.withLock { $0.isReady } }
        set { state.withLock { $0.isReady = newValue } }
    }

    private func change(_ body: (inout sending State) -> Void) {
        let doorbell = state.withLock { state in
            body(&state)
            return state.doorbell
        }
        doorbell?.ring()
    }
}
