internal import ConnectionKit
internal import Contracts
package import Foundation
package import Logging
package import Postgres
package import Redis
internal import ServiceLifecycle
internal import Synchronization

/// Watches a service's database and cache, and paces the return of its traffic after one of them was lost.
///
/// It looks once a second. What it knows is shared with the other replicas through Redis and written to the service's
/// database, so that it survives the process, Redis, and (by comparison) a database that was set back. Without Redis each
/// replica goes on by what it knows.
package final class WarmupController: Service, Sendable {
    static let timeout = Duration.milliseconds(500)
    /// Looks between two marks of the database.
    private static let marking = 5
    /// With Redis away for longer, the database has borne everything and has nothing to be spared from.
    private static let longAway: TimeInterval = 10
    private static let historyLimit = 600

    struct State {
        var warmup = WarmupState()
        var remembered: DatabaseMark?
        var awaySince: Date?
        var isShared = false
        var steady: Duration?
        var steadyCount = 0.0
        var usualHits = 0.0
        var usualCount = 0.0
        var load = WarmupLoad.unknown
        var turn = 0
        var hasLearned = false
        /// Whether what Redis holds must not be read any more, as soon as it is there to be told.
        var owesRenewal = false
        var lastTally = (hits: 0, misses: 0)
        var preloadedIn: Date?
        var preloaded = 0
        var refused = 0
        var history: [WarmupSample] = []
    }

    let service: String
    let cache: ServiceCache
    let configuration: WarmupConfiguration
    let exchange: WarmupExchange
    let ledger: WarmupLedger
    let hotKeys: HotKeyStore
    let logger: Logger
    let outbox: Outbox
    private let load: DatabaseLoad
    private let metrics: WarmupMetrics
    private let onCacheLost: @Sendable () async -> Void
    let now: @Sendable () -> Date
    let state = Mutex(State())
    private let admission = Mutex(WarmupAdmission(share: 100, started: .distantPast))
    private let guests = WarmupGuests()

    /// - Parameters:
    ///   - onCacheLost: brings back what Redis held beside the cache, before anybody is admitted by the ramp.
    package init(
        service: String, database: PostgresClient, redis: RedisClient, cache: ServiceCache, load: DatabaseLoad,
        outbox: Outbox, configuration: WarmupConfiguration, metrics: MetricsRegistry, logger: Logger,
        now: @escaping @Sendable () -> Date = { Date() }, onCacheLost: @escaping @Sendable () async -> Void = {}
    ) {
        self.service = service
        self.cache = cache
        self.load = load
        self.outbox = outbox
        self.configuration = configuration
        self.logger = logger
        self.now = now
        self.onCacheLost = onCacheLost
        exchange = WarmupExchange(redis, service: service)
        ledger = WarmupLedger(database)
        hotKeys = HotKeyStore(database, limit: configuration.hotKeyLimit)
        self.metrics = WarmupMetrics(metrics)
        cache.setGate(
            { [weak self, guests] user in
                self?.present.admits(user.text, .login) != false || guests.contains(user)
            },
            onRefusal: { [weak self] in self?.countRefusal() })
    }

    // MARK: - Who is let in

    /// Who is admitted at this moment; costs a lock.
    package var present: WarmupAdmission { admission.withLock { $0 } }

    /// Whether all are admitted.
    package var isOpen: Bool { admission.withLock { $0.share >= 100 } }

    /// Since when a ramp runs, in whole seconds, as tokens count.
    var startedAt: Date? {
        let started = state.withLock { $0.warmup.ramp.stage == .idle ? nil : $0.warmup.ramp.started }
        return started.map { Date(timeIntervalSince1970: $0.timeIntervalSince1970.rounded(.down)) }
    }

    /// Whether the holder of a token signed in since the ramp began: whoever was let in then stays in, whatever they do.
    func isGuest(_ claims: AccessTokenClaims) -> Bool {
        guard let started = startedAt, claims.authenticatedAt >= started else { return false }
        guests.add(claims.subject, of: started)
        return true
    }

    func countRefusal() {
        metrics.refused.increment()
        state.withLock { $0.refused += 1 }
    }

    // MARK: - Life

    /// Looks until graceful shutdown, preloads while the first share holds, and writes down the hot keys.
    package func run() async throws {
        await cancelWhenGracefulShutdown {
            await withDiscardingTaskGroup { group in
                group.addTask { await self.watch() }
                group.addTask { await self.writeHotKeys() }
            }
        }
    }

    /// Waits until it is known how matters stand, before the first request is served; no longer than `limit`.
    package func waitUntilKnown(atMost limit: Duration) async {
        let deadline = Deadline.after(limit)
        while !hasLooked, !deadline.hasPassed, (try? await Task.sleep(for: .milliseconds(5))) != nil {}
    }

    private var hasLooked: Bool { state.withLock { $0.turn > 0 } }

    private func watch() async {
        await withDiscardingTaskGroup { group in
            while !Task.isCancelled {
                await look()
                if let started = preloadingDue() { group.addTask { await self.preload(in: started) } }
                try? await Task.sleep(for: configuration.interval)
            }
        }
    }

    private func writeHotKeys() async {
        while !Task.isCancelled {
            try? await Task.sleep(for: configuration.hotKeyInterval)
            do {
                try await hotKeys.add(cache.hotKeys.take(), deadline: .after(Self.timeout * 4))
            } catch {
                logger.debug("hot keys were not written down", metadata: ["error": "\(error)"])
            }
        }
    }

    // MARK: - One look

    /// Looks once: at the load, the database, Redis; and moves the ramp.
    package func look() async {
        // Eighths of a second are exact in binary and in decimal: replicas that read the same time have the same one.
        let now = Date(timeIntervalSince1970: (self.now().timeIntervalSince1970 * 8).rounded(.down) / 8)
        let reading = load.roll()
        let page = isMarking ? await readLedger() : nil
        await judge(page, at: now)
        let seen = await report(reading, at: now)
        move(seen, statements: reading.count, at: now)
        await share()
        if let page { await mark(page) }
        finish(seen, at: now)
    }

    private var isMarking: Bool { state.withLock { $0.turn % Self.marking == 0 } }

    private func readLedger() async -> WarmupLedger.Page? {
        do {
            return try await ledger.read(deadline: .after(Self.timeout))
        } catch {
            logger.debug("the database does not say how far it has come", metadata: ["error": "\(error)"])
            return nil
        }
    }

    /// What the database and Redis say of themselves, and what follows from it.
    private func judge(_ page: WarmupLedger.Page?, at now: Date) async {
        var inRedis: String?
        var remembered = state.withLock { $0.remembered }
        var isThere = true
        do {
            inRedis = try await exchange.generation(deadline: .after(Self.timeout))
            if remembered == nil { remembered = try await exchange.mark(deadline: .after(Self.timeout)) }
        } catch {
            isThere = false
        }
        let (wasAway, owesRenewal) = state.withLock { state in
            defer { state.awaySince = isThere ? nil : state.awaySince ?? now }
            if let page { Self.learn(page, &state) }
            let wasAway = state.awaySince.map { now.timeIntervalSince($0) > Self.longAway } ?? false
            return (wasAway, state.owesRenewal)
        }
        let known = cache.generation ?? page?.generation
        let verdict = CacheJudge(
            database: page.map { DatabaseVerdict(present: $0.present, written: $0.written, remembered: remembered) },
            known: known, redis: isThere ? .answers(inRedis) : .isAway, wasAway: wasAway
        ).verdict
        if let page, verdict.renews { state.withLock { $0.remembered = page.present } }
        if let loss = verdict.loss { await begin(loss, at: now) }
        guard isThere else {
            if verdict.renews { state.withLock { $0.owesRenewal = true } }
            return
        }
        let isForgetful = await cache.settle()
        guard verdict.renews || owesRenewal || isForgetful else {
            cache.generation = inRedis
            return
        }
        if verdict.loss != nil { await onCacheLost() }
        await renew(from: inRedis)
    }

    /// Puts an end to all that is cached.
    private func renew(from old: String?) async {
        let renewed = try? await exchange.renewGeneration(
            from: old, to: TraceContext.randomHex(), deadline: .after(Self.timeout))
        state.withLock { $0.owesRenewal = renewed == nil }
        cache.generation = renewed
    }

    /// Takes in what the database remembers, where this process knows less.
    private static func learn(_ page: WarmupLedger.Page, _ state: inout State) {
        state.warmup.merge(page.state)
        if state.steady == nil, let steady = page.steady {
            state.steady = steady
            state.steadyCount = 60
        }
        if !state.hasLearned, page.usualHits > state.usualHits {
            state.usualHits = page.usualHits
            state.usualCount = 60
        }
        state.hasLearned = true
    }

    private func begin(_ loss: String, at now: Date) async {
        let hits = state.withLock { $0.usualHits }
        guard configuration.isAutomatic, hits >= configuration.minimumHits else {
            logger.notice("\(loss), which the database bears: no warm-up", metadata: ["usual_hits": "\(hits)"])
            return
        }
        // Another replica may have seen the same, and begun.
        await share()
        do {
            try await start(reason: loss, by: nil, at: now)
        } catch {
            logger.warning("the warm-up is not recorded yet", metadata: ["error": "\(error)"])
        }
    }

    private func report(_ reading: DatabaseLoad.Reading, at now: Date) async -> WarmupExchange.ReplicaLoad {
        let own = state.withLock { state in
            let (hits, misses) = (
                cache.tally.hits.load(ordering: .relaxed), cache.tally.misses.load(ordering: .relaxed)
            )
            defer { state.lastTally = (hits, misses) }
            let seconds = configuration.interval / .seconds(1)
            return WarmupExchange.ReplicaLoad(
                p95: reading.p95, hits: Double(hits - state.lastTally.hits) / seconds,
                misses: Double(misses - state.lastTally.misses) / seconds)
        }
        return (try? await exchange.report(own, at: now, deadline: .after(Self.timeout))) ?? own
    }

    private func move(_ seen: WarmupExchange.ReplicaLoad, statements: Int, at now: Date) {
        let (before, after) = state.withLock { state in
            state.load = WarmupLoad(
                p95: seen.p95, steady: max(state.steady ?? .zero, configuration.steadyFloor),
                limit: configuration.loadLimit)
            let before = state.warmup.ramp.stage
            state.warmup.change { $0.observe(state.load, plan: configuration.plan, at: now) }
            if state.warmup.ramp.stage == .idle { Self.settle(seen, statements: statements, &state) }
            return (before, state.warmup.ramp.stage)
        }
        if before != after { logger.notice("warming up went from \(before.rawValue) to \(after.rawValue)") }
    }

    /// What is usual: the mean over the first looks, then one that follows within a minute.
    private static func settle(_ seen: WarmupExchange.ReplicaLoad, statements: Int, _ state: inout State) {
        state.usualCount += 1
        state.usualHits += (seen.hits - state.usualHits) * max(0.02, 1 / state.usualCount)
        guard let p95 = seen.p95, statements >= 20 else { return }
        state.steadyCount += 1
        state.steady = state.steady.map { $0 + (p95 - $0) * max(0.02, 1 / state.steadyCount) } ?? p95
    }

    /// Agrees on the ramp with the other replicas.
    func share() async {
        let ours = state.withLock { $0.warmup }
        let winner = try? await exchange.share(ours, deadline: .after(Self.timeout))
        state.withLock { state in
            state.isShared = winner != nil
            // Of two that changed it at once, the one that Redis took counts.
            if let winner, winner.revision >= state.warmup.revision { state.warmup = winner }
        }
        publish()
    }

    /// Makes the ramp's present share the one that requests are admitted by.
    func publish() {
        let ramp = state.withLock { $0.warmup.ramp }
        let next = WarmupAdmission(
            share: ramp.share(configuration.plan), started: ramp.started ?? .distantPast)
        admission.withLock { $0 = next }
        metrics.share.set(Double(next.share))
    }

    private func mark(_ page: WarmupLedger.Page) async {
        let (steady, hits, warmup) = state.withLock { ($0.steady, $0.usualHits, $0.warmup) }
        do {
            try await ledger.mark(
                page.present, generation: cache.generation, steady: steady, usualHits: hits, state: warmup,
                deadline: .after(Self.timeout))
            state.withLock { $0.remembered = page.present }
            try await exchange.remember(page.present, deadline: .after(Self.timeout))
        } catch {
            logger.debug("the mark was not set everywhere", metadata: ["error": "\(error)"])
        }
    }

    private func finish(_ seen: WarmupExchange.ReplicaLoad, at now: Date) {
        let reads = seen.hits + seen.misses
        let hitRate = reads > 0 ? seen.hits / reads : nil
        state.withLock { state in
            // The database is asked again at the next look for as long as it has not answered.
            state.turn =
                state.remembered == nil ? max(Self.marking, state.turn / Self.marking * Self.marking) : state.turn + 1
            state.history.append(
                WarmupSample(
                    at: now, share: state.warmup.ramp.share(configuration.plan), hitRate: hitRate,
                    p95_ms: seen.p95.map { $0 / .milliseconds(1) }, refused: state.refused))
            state.refused = 0
            if state.history.count > Self.historyLimit { state.history.removeFirst() }
        }
        metrics.steady.set((state.withLock { $0.steady } ?? .zero) / .seconds(1))
        if let hitRate { metrics.hitRate.set(hitRate) }
    }
}
