/// The replicas of a target, and which of them the next call goes to: a pure state machine; whoever holds it gives it the
/// time.
///
/// The one with the fewest calls under way among those whose breaker admits one; one that is about to stop only when no
/// other is left.
package struct ServiceReplicas: Sendable {
    package typealias Instant = ContinuousClock.Instant

    /// What came of a call.
    package enum Outcome: Sendable {
        /// The target answered, whatever it said; `isLastOnConnection` when it closes the connection, as one does that is
        /// about to stop.
        case answered(isLastOnConnection: Bool)
        case failed
        /// The call was cancelled, which says nothing about the target.
        case nothing
    }

    /// For how long a replica that is about to stop is left alone: it is back by then, or refuses at once.
    package static let absence = Duration.seconds(3)

    private struct Replica {
        var breaker = CircuitBreaker()
        var inFlight = 0
        var leftAt: Instant?
    }

    /// Calls under way to all of them together, at most: what a stalled target can hold of this process.
    let maximumInFlight: Int
    private var replicas: [Replica]
    private var turn = 0
    private(set) var inFlight = 0

    /// - Parameter count: how many replicas there are, from 1 to 64.
    package init(count: Int, maximumInFlight: Int) {
        precondition((1...64).contains(count), "a target has 1 to 64 replicas")
        self.maximumInFlight = maximumInFlight
        replicas = Array(repeating: Replica(), count: count)
    }

    /// Whether no replica would be given a call now.
    package func wouldRefuse(at now: Instant) -> Bool {
        replicas.allSatisfy { $0.breaker.wouldRefuse(at: now) }
    }

    package var isFull: Bool { inFlight >= maximumInFlight }

    /// Takes a replica for one call, which ``giveBack(_:_:at:)`` ends; nil when none is worth calling.
    ///
    /// - Parameter tried: a bit for each replica that was called in vain; those come last.
    package mutating func take(at now: Instant, after tried: UInt64) -> Int? {
        turn = (turn + 1) % replicas.count
        let order = replicas.indices.map { (turn + $0) % replicas.count }
        let best = order.filter { !replicas[$0].breaker.wouldRefuse(at: now) }
            .min { rank($0, now, tried) < rank($1, now, tried) }
        guard let best, replicas[best].breaker.admit(at: now) else { return nil }
        replicas[best].inFlight += 1
        inFlight += 1
        return best
    }

    /// Whether a replica that has not been called yet would be given a call.
    package func hasOther(at now: Instant, than tried: UInt64) -> Bool {
        replicas.indices.contains { tried & (1 << UInt64($0)) == 0 && !replicas[$0].breaker.wouldRefuse(at: now) }
    }

    /// A call has ended.
    package mutating func giveBack(_ index: Int, _ outcome: Outcome, at now: Instant) {
        replicas[index].inFlight -= 1
        inFlight -= 1
        switch outcome {
        case .answered(let isLast):
            replicas[index].breaker.recordSuccess()
            if isLast { replicas[index].leftAt = now }
        case .failed: replicas[index].breaker.recordFailure(at: now)
        case .nothing: replicas[index].breaker.recordNothing(at: now)
        }
    }

    /// Smaller is better: not called in vain, not about to stop, little to do.
    private func rank(_ index: Int, _ now: Instant, _ tried: UInt64) -> Int {
        let replica = replicas[index]
        let isTried = tried & (1 << UInt64(index)) != 0
        let isLeaving = replica.leftAt.map { now - $0 < Self.absence } ?? false
        return (isTried ? 1 << 40 : 0) + (isLeaving ? 1 << 20 : 0) + replica.inFlight
    }
}
