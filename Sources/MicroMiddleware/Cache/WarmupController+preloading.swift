internal import ConnectionKit
internal import Foundation
internal import Logging
internal import Synchronization

extension WarmupController {
    /// Keys between two looks at whether this replica still is the one that preloads.
    private static let batch = 100

    /// The ramp whose hot keys this process may have to load.
    func preloadingDue() -> Date? {
        state.withLock { state in
            guard state.warmup.ramp.isHolding, let started = state.warmup.ramp.started, state.preloadedIn != started
            else { return nil }
            state.preloadedIn = started
            state.preloaded = 0
            return started
        }
    }

    /// Loads the keys that were asked for most, the first first, no faster than the database bears, and again before they
    /// expire, until everybody is let in: whose values are cached is served whether they are let in or not. One replica does
    /// it, and another one when that is gone.
    func preload(in started: Date) async {
        while isHolding(started) {
            let next = ContinuousClock.now + configuration.lifetime * 3 / 4
            guard await leads(), let keys = await readHotKeys(), await load(keys, in: started) else {
                // Whoever looks next may try.
                return state.withLock { $0.preloadedIn = nil }
            }
            logger.notice("\(state.withLock { $0.preloaded }) hot keys were loaded")
            while isHolding(started), .now < next, (try? await Task.sleep(for: configuration.interval)) != nil {}
        }
    }

    private func isHolding(_ started: Date) -> Bool {
        !Task.isCancelled && state.withLock { $0.warmup.ramp.isHolding && $0.warmup.ramp.started == started }
    }

    /// Without Redis there is nowhere to load into that others would see.
    private func leads() async -> Bool {
        (try? await exchange.takePreloading(deadline: .after(Self.timeout))) == true
    }

    private func readHotKeys() async -> [HotKey]? {
        do {
            return try await hotKeys.top(deadline: .after(Self.timeout * 10))
        } catch {
            logger.warning("the hot keys cannot be read: nothing is preloaded yet", metadata: ["error": "\(error)"])
            return nil
        }
    }

    /// - Returns: whether this replica may go on.
    private func load(_ keys: [HotKey], in started: Date) async -> Bool {
        let pause = Duration.seconds(1) / configuration.preloadRate
        var next = ContinuousClock.now
        for (number, key) in keys.enumerated() {
            if number % Self.batch == Self.batch - 1, await !leads() { return false }
            while state.withLock({ $0.load == .high }), isHolding(started) {
                try? await Task.sleep(for: configuration.interval)
            }
            guard isHolding(started) else { return true }
            do {
                try await cache.preload(key)
                state.withLock { $0.preloaded += 1 }
            } catch {
                logger.debug("a hot key was not preloaded", metadata: ["error": "\(error)"])
            }
            next = max(next + pause, .now - .seconds(1))
            try? await Task.sleep(until: next, clock: .continuous)
        }
        return true
    }
}

extension WarmupRamp {
    /// Whether some are not let in yet.
    var isHolding: Bool { stage == .first || stage == .second }
}
