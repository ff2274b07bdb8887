/// The instant by which a piece of work must have ended, on the continuous clock.
///
/// One absolute deadline travels from the request down to every call it makes, so that time spent in one place is time
/// that the next place no longer has.
public struct Deadline: Sendable, Hashable, Comparable {
    /// The instant itself.
    public let instant: ContinuousClock.Instant

    public init(_ instant: ContinuousClock.Instant) {
        self.instant = instant
    }

    /// The deadline that lies `duration` from now.
    public static func after(_ duration: Duration) -> Deadline {
        Deadline(ContinuousClock.now.advanced(by: duration))
    }

    /// The time left; zero once the deadline has passed, never negative.
    public var remaining: Duration {
        max(.zero, ContinuousClock.now.duration(to: instant))
    }

    /// Whether the deadline has passed.
    public var hasPassed: Bool {
        ContinuousClock.now >= instant
    }

    /// The earlier of this deadline and one that lies `duration` from now: how a callee shortens what it was given.
    public func capped(at duration: Duration) -> Deadline {
        min(self, .after(duration))
    }

    /// The time left in whole milliseconds, rounded up so that a wait never wakes just before the deadline; at most
    /// `Int32.max`, as `poll(2)` takes it.
    public var remainingMilliseconds: Int32 {
        let (seconds, attoseconds) = remaining.components
        guard seconds < Int64(Int32.max) / 1_000 - 1 else { return .max }
        let milliseconds = seconds * 1_000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000
        return Int32(clamping: milliseconds)
    }

    public static func < (left: Deadline, right: Deadline) -> Bool {
        left.instant < right.instant
    }
}
