import DequeModule

/// What a connection pool does next: a pure function of what happened and when.
///
/// It knows connections and waiters by number only and performs nothing itself: each method returns the actions that its
/// caller has to take. Waiters are served in the order in which they came. After a failure to connect the breaker is
/// open: nobody waits for a connection that nothing suggests will come, and one attempt at a time is made, at jittered,
/// growing intervals.
package struct PoolStateMachine: Sendable {
    package typealias Instant = ContinuousClock.Instant
    package typealias ConnectionID = UInt64
    package typealias WaiterID = UInt64

    package enum Action: Equatable, Sendable {
        /// Open a connection and report `opened` or `openingFailed`.
        case open(ConnectionID)
        /// Forget the connection: it is not in use.
        case close(ConnectionID)
        case serve(WaiterID, ConnectionID)
        case fail(WaiterID, Refusal)
        /// Call `timerFired` at this time, instead of at any other.
        case arm(Instant)
        /// Nothing is in use any more and nobody waits: the drain is over.
        case drained
    }

    package enum Refusal: Equatable, Sendable {
        case unavailable, exhausted, deadlineExceeded, cancelled, closed
    }

    package enum Acquisition: Equatable, Sendable {
        /// An idle connection, and for how long it has been idle.
        case leased(ConnectionID, idleFor: Duration)
        case waiting([Action])
        case refused(Refusal)
    }

    private enum Phase: Sendable { case running, draining, closed }

    private struct Connection: Sendable {
        enum State: Sendable {
            case opening
            case idle(since: Instant)
            case leased
        }
        var state: State
        var expiry: Instant
    }

    private struct Waiter: Sendable {
        let id: WaiterID
        let deadline: Instant
        /// When it gives up: its deadline, or the acquire timeout before it.
        let limit: Instant
    }

    private let configuration: PoolConfiguration
    private var generator: any RandomNumberGenerator & Sendable
    private var phase = Phase.running
    private var isMaintained = false
    private var connections: [ConnectionID: Connection] = [:]
    /// The one released last comes first: its caches are warm, and the others may grow old.
    private var idle: [ConnectionID] = []
    private var openingCount = 0
    private var waiters: Deque<Waiter> = []
    private var nextID: ConnectionID = 1
    private var backoff: Backoff
    /// While the breaker is open: when the next attempt is due.
    private var retry: Instant?
    private var armed: Instant?

    package init(
        configuration: PoolConfiguration,
        generator: any RandomNumberGenerator & Sendable = SystemRandomNumberGenerator()
    ) {
        self.configuration = configuration
        self.generator = generator
        backoff = configuration.backoff
    }
}

// MARK: - What can be seen

extension PoolStateMachine {
    /// Whether the last attempt to connect succeeded, or none was made.
    package var isAvailable: Bool { retry == nil && phase == .running }
    package var connectionCount: Int { connections.count }
    package var idleCount: Int { idle.count }
    package var leasedCount: Int { connections.count - idle.count - openingCount }
    package var waiterCount: Int { waiters.count }
}

// MARK: - Callers

extension PoolStateMachine {
    /// A caller wants a connection.
    package mutating func acquire(_ waiter: WaiterID, deadline: Instant, now: Instant) -> Acquisition {
        guard phase == .running else { return .refused(.closed) }
        guard deadline > now else { return .refused(.deadlineExceeded) }
        if let id = idle.popLast(), case .idle(let since)? = connections[id]?.state {
            connections[id]?.state = .leased
            return .leased(id, idleFor: since.duration(to: now))
        }
        let hopeless = retry != nil && leasedCount == 0
        if hopeless, let retry, now < retry { return .refused(.unavailable) }
        guard waiters.count < configuration.waiterLimit else { return .refused(.exhausted) }
        let patience = hopeless ? configuration.probePatience : configuration.acquireTimeout
        let limit = min(deadline, now.advanced(by: min(patience, configuration.acquireTimeout)))
        waiters.append(Waiter(id: waiter, deadline: deadline, limit: limit))
        var actions = openings(now: now)
        arm(limit, &actions)
        return .waiting(actions)
    }

    /// A caller that waits was cancelled. Nothing happens when it has been served.
    package mutating func cancel(_ waiter: WaiterID) -> [Action] {
        guard let index = waiters.firstIndex(where: { $0.id == waiter }) else { return [] }
        waiters.remove(at: index)
        return [.fail(waiter, .cancelled)] + drainedIfEmpty()
    }

    /// A caller has done with a connection; `reusable` says whether another one may have it.
    package mutating func release(_ id: ConnectionID, reusable: Bool, now: Instant) -> [Action] {
        guard let connection = connections[id], case .leased = connection.state else { return [] }
        if !reusable || phase == .closed || connection.expiry <= now {
            connections[id] = nil
            return [.close(id)] + openings(now: now) + drainedIfEmpty()
        }
        return offer(id, now: now)
    }
}

// MARK: - Connections

extension PoolStateMachine {
    package mutating func opened(_ id: ConnectionID, now: Instant) -> [Action] {
        guard case .opening? = connections[id]?.state else { return [.close(id)] }
        openingCount -= 1
        retry = nil
        backoff.reset()
        let lifetime = configuration.maximumLifetime * Double.random(in: 0.9...1, using: &generator)
        connections[id] = Connection(state: .leased, expiry: now.advanced(by: lifetime))
        var actions = offer(id, now: now) + openings(now: now)
        if isMaintained { arm(now.advanced(by: lifetime), &actions) }
        return actions
    }

    package mutating func openingFailed(_ id: ConnectionID, now: Instant) -> [Action] {
        guard case .opening? = connections[id]?.state else { return [] }
        openingCount -= 1
        connections[id] = nil
        // Attempts that were made together fail together: they count as one.
        if retry.map({ $0 <= now }) ?? true {
            retry = now.advanced(by: backoff.next(using: &generator))
        }
        var actions: [Action] = []
        // Where a connection is in use, it will be free one day; where none is, nobody has anything to wait for.
        if leasedCount == 0, openingCount == 0 {
            actions = waiters.map { .fail($0.id, .unavailable) }
            waiters.removeAll()
        }
        actions += drainedIfEmpty()
        if let retry, isMaintained || !waiters.isEmpty { arm(retry, &actions) }
        return actions
    }

    /// Gives a connection that nobody uses to whoever waits first, or keeps it.
    private mutating func offer(_ id: ConnectionID, now: Instant) -> [Action] {
        if let waiter = waiters.popFirst() {
            connections[id]?.state = .leased
            return [.serve(waiter.id, id)]
        }
        guard phase == .running else {
            connections[id] = nil
            return [.close(id)] + drainedIfEmpty()
        }
        connections[id]?.state = .idle(since: now)
        idle.append(id)
        return []
    }

    /// As many openings as there are waiters without one, within the capacity; one at a time while the breaker is open.
    private mutating func openings(now: Instant) -> [Action] {
        let minimum = isMaintained && phase == .running && connections.isEmpty ? 1 : 0
        var wanted = max(waiters.count - openingCount, minimum - openingCount)
        wanted = min(wanted, configuration.capacity - connections.count)
        if let retry { wanted = now >= retry && openingCount == 0 ? min(wanted, 1) : 0 }
        guard wanted > 0, phase != .closed else { return [] }
        return (0..<wanted).map { _ in
            let id = nextID
            nextID += 1
            openingCount += 1
            connections[id] = Connection(state: .opening, expiry: now)
            return .open(id)
        }
    }
}

// MARK: - Time and the end

extension PoolStateMachine {
    /// From now on one connection is kept ready, without a caller asking for it.
    package mutating func maintain(now: Instant) -> [Action] {
        guard phase == .running else { return [] }
        isMaintained = true
        var actions = openings(now: now)
        if let retry { arm(retry, &actions) }
        return actions
    }

    package mutating func timerFired(now: Instant) -> [Action] {
        armed = nil
        var actions: [Action] = []
        for waiter in waiters where waiter.limit <= now {
            let isGone = retry != nil && leasedCount == 0
            actions.append(
                .fail(waiter.id, waiter.deadline <= now ? .deadlineExceeded : isGone ? .unavailable : .exhausted))
        }
        waiters.removeAll { $0.limit <= now }
        for id in idle where (connections[id]?.expiry).map({ $0 <= now }) ?? true {
            connections[id] = nil
            actions.append(.close(id))
        }
        idle.removeAll { connections[$0] == nil }
        actions += openings(now: now) + drainedIfEmpty()
        if let next = nextTimer(now: now) { arm(next, &actions) }
        return actions
    }

    /// No caller is admitted any more; those that wait are still served.
    package mutating func drain() -> [Action] {
        guard phase == .running else { return drainedIfEmpty() }
        phase = .draining
        let actions = idle.map { Action.close($0) }
        for id in idle { connections[id] = nil }
        idle.removeAll()
        return actions + drainedIfEmpty()
    }

    /// Ends everything; what is in use is closed when it is released.
    package mutating func close() -> [Action] {
        var actions = drain().filter { $0 != .drained }
        phase = .closed
        actions += waiters.map { .fail($0.id, .closed) }
        waiters.removeAll()
        for (id, connection) in connections {
            if case .opening = connection.state {
                connections[id] = nil
                openingCount -= 1
            }
        }
        return actions + [.drained]
    }

    private func drainedIfEmpty() -> [Action] {
        phase != .running && waiters.isEmpty && leasedCount == 0 ? [.drained] : []
    }

    private func nextTimer(now: Instant) -> Instant? {
        var next = waiters.lazy.map(\.limit).min()
        if let retry, openingCount == 0, isMaintained || !waiters.isEmpty { next = min(next ?? retry, retry) }
        if isMaintained, let expiry = connections.values.lazy.map(\.expiry).filter({ $0 > now }).min() {
            next = min(next ?? expiry, expiry)
        }
        return next
    }

    /// Asks for the timer unless it goes off early enough anyway.
    private mutating func arm(_ time: Instant, _ actions: inout [Action]) {
        if let armed, armed <= time { return }
        armed = time
        actions.append(.arm(time))
    }
}
