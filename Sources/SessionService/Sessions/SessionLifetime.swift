package import Contracts
package import Foundation
import MicroMiddleware

/// How long sessions live.
package struct SessionLifetime: Sendable, Hashable {
    /// Without a refresh.
    package var idle: Duration
    /// However often it is refreshed.
    package var absolute: Duration
    /// Within which the token before the present one gets the same successor again.
    package var grace: Duration
    /// How long the longest access token issued until now may live: how long a revocation must be remembered.
    package var accessToken: Duration

    package init(
        idle: Duration = .days(30), absolute: Duration = .days(90), grace: Duration = .seconds(10),
        accessToken: Duration = .seconds(1_800)
    ) {
        self.idle = idle
        self.absolute = absolute
        self.grace = grace
        self.accessToken = accessToken
    }

    /// The same, with what a tenant asks for in its place, within the bounds of ``SessionPolicy``.
    package func adapted(to policy: SessionPolicy?) -> SessionLifetime {
        var adapted = self
        if let seconds = policy?.idleTimeoutSeconds { adapted.idle = .seconds(min(max(60, seconds), 31_536_000)) }
        if let seconds = policy?.absoluteTimeoutSeconds {
            adapted.absolute = .seconds(min(max(60, seconds), 315_360_000))
        }
        return adapted
    }

    package func absoluteExpiry(from now: Date) -> Date {
        (now + absolute.timeInterval).flooredToSeconds
    }

    package func idleExpiry(from now: Date, within absolute: Date) -> Date {
        min((now + idle.timeInterval).flooredToSeconds, absolute)
    }

    /// Until when tokens issued before `now` could be valid somewhere, clocks being a minute apart: an access token for
    /// its lifetime, a refresh token's grant for an hour and then the access token that it bought.
    package func revokedUntil(from now: Date) -> Date {
        let granted = RefreshGrant.maximumAge + RefreshGrant.accessTokenLifetime
        return now + max(accessToken, granted).timeInterval + 60
    }
}

extension Duration {
    package static func days(_ count: Int) -> Duration { .seconds(count * 86_400) }

    package var timeInterval: TimeInterval {
        let (seconds, attoseconds) = components
        return TimeInterval(seconds) + TimeInterval(attoseconds) / 1e18
    }
}

extension Date {
    /// Refresh tokens carry whole seconds.
    fileprivate var flooredToSeconds: Date {
        Date(timeIntervalSince1970: timeIntervalSince1970.rounded(.down))
    }
}
