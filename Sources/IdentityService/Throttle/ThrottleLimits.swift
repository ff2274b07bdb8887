/// How failures slow down what follows: nothing up to a number of them, then a wait that doubles with each.
package struct Ladder: Sendable, Hashable {
    /// So many failures cost nothing.
    package var free: Int
    /// The first wait.
    package var base: Duration
    /// The longest.
    package var longest: Duration
    /// Forgotten so long after the last failure.
    package var memory: Duration

    package init(free: Int, base: Duration, longest: Duration, memory: Duration) {
        self.free = free
        self.base = base
        self.longest = longest
        self.memory = memory
    }

    /// How long to wait after the `failures`-th failure in a row.
    package func wait(after failures: Int) -> Duration {
        guard failures > free else { return .zero }
        let doublings = min(failures - free - 1, 30)
        return min(longest, base * (1 << doublings))
    }
}

/// The limits on guessing passwords. Only failures count.
package struct ThrottleLimits: Sendable, Hashable {
    /// For one identity, from devices that have not signed in with it before; each known device has a ladder of its own.
    package var account = Ladder(free: 5, base: .seconds(1), longest: .seconds(900), memory: .seconds(3_600))
    /// For one address (a /64 of IPv6), whomever it tries.
    package var address = Ladder(free: 100, base: .seconds(1), longest: .seconds(60), memory: .seconds(600))
    /// With so many failures in a minute a tenant's brake is on.
    package var tenantFailuresPerMinute = 6_000
    /// How long the brake stays on after the last such minute.
    package var brakeDuration = Duration.seconds(300)
    /// At so many failures in a row the owner of the account is told.
    package var noticeAt = 10
    /// Whether a tenant's brake asks unknown devices for a proof of work, rather than giving each identity one free failure.
    package var asksForProof = false
    /// How long Redis is waited for.
    package var patience = Duration.milliseconds(50)

    package init() {}
}
