internal import Contracts
internal import MicroMiddleware
internal import NIOCore

/// The replicas of one service on one event loop: says which of them the next request goes to.
///
/// The one with the fewest requests under way among those that are ready. One that is unready or about to stop is asked only
/// when no other is left, since it still answers; one that is silent, given up by its breaker, or full is not asked.
final class UpstreamGroup {
    /// How willing a replica is, the best first.
    enum Standing: Int {
        case ready, unready, leaving, unusable
    }

    let index: Int
    let replicas: [UpstreamPool]
    /// What may be sent a second time: a tenth of all requests, so that resending never doubles the load of a service in
    /// trouble.
    private var budget = RetryBudget()
    /// Where the search begins, so that equals take turns.
    private var turn = 0
    private var limit: ConcurrencyLimit
    private let metrics: GatewayMetrics

    init(index: Int, replicas: [UpstreamPool], shared: GatewayContext) {
        self.index = index
        self.replicas = replicas
        metrics = shared.metrics
        limit = ConcurrencyLimit(
            replicas: replicas.count, maximum: shared.limits.maximumInFlightPerUpstream * replicas.count)
        metrics.limitChanged(upstream: index, by: Double(limit.limit))
    }

    /// Whether one more request may go to the service, or is shed so that those of a higher priority can.
    func admits(_ priority: RequestPriority) -> Bool {
        if limit.admits(priority, inFlight: replicas.reduce(0) { $0 + $1.inFlight }) { return true }
        metrics.shed(upstream: index, priority: priority)
        return false
    }

    /// The service began to answer a request, or was given up on, after so long.
    func recordLatency(_ latency: TimeAmount, _ priority: RequestPriority) {
        limit.record(nanoseconds: latency.nanoseconds, priority: priority)
    }

    /// A tick of the loop's clock.
    func sweep(now: NIODeadline) {
        let before = limit.limit
        limit.endWindow()
        if limit.limit != before { metrics.limitChanged(upstream: index, by: Double(limit.limit - before)) }
        for replica in replicas { replica.sweep(now: now) }
    }

    /// The replica for a request, or nil when there is none.
    ///
    /// - Parameter tried: those that have been asked in vain, a bit each.
    func choose(except tried: UInt64 = 0) -> UpstreamPool? {
        let now = NIODeadline.now()
        if replicas.count == 1 {
            return tried == 0 && replicas[0].standing(now: now) != .unusable ? replicas[0] : nil
        }
        turn = (turn + 1) % replicas.count
        var best: UpstreamPool?
        var bestStanding = Standing.unusable
        for offset in replicas.indices {
            let replica = replicas[(turn + offset) % replicas.count]
            guard tried & replica.bit == 0 else { continue }
            let standing = replica.standing(now: now)
            guard standing != .unusable else { continue }
            if standing.rawValue < bestStanding.rawValue
                || (standing == bestStanding && replica.inFlight < (best?.inFlight ?? .max))
            {
                (best, bestStanding) = (replica, standing)
            }
        }
        return best
    }

    /// Why ``choose(except:)`` found nobody.
    var refusal: Refusal {
        replicas.contains { $0.isFull } ? .overloaded : .unavailable
    }

    /// Whether no replica even says that it lives.
    var isSilent: Bool { replicas.allSatisfy(\.isSilent) }

    /// A request is about to be sent for the first time: it earns a tenth of a second sending.
    func recordRequest() {
        budget.recordCall()
    }

    /// Whether a request that a replica may have seen may be sent once more.
    func takeResend() -> Bool {
        budget.takeRetry()
    }
}
