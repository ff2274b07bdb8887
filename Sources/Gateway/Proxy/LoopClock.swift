internal import Glibc

/// The wall clock of one event loop, read once a tick, with the two texts that responses need: formatting a date for
/// every response would cost more than proxying it.
struct LoopClock {
    /// RFC 3339, whole seconds, UTC: the `timestamp` of an envelope.
    private(set) var timestamp = ""
    /// IMF-fixdate of RFC 9110 §5.6.7: the `Date` header.
    private(set) var httpDate = ""
    private(set) var secondsSince1970 = Int.min

    init() {
        refresh()
    }

    /// Reads the clock; formats only when the second has changed.
    mutating func refresh() {
        set(secondsSince1970: time(nil))
    }

    /// Sets the clock to an instant.
    mutating func set(secondsSince1970 seconds: Int) {
        guard seconds != secondsSince1970 else { return }
        secondsSince1970 = seconds
        var instant = seconds
        var parts = tm()
        gmtime_r(&instant, &parts)
        let year = String(parts.tm_year + 1900)
        let day = Self.twoDigits(parts.tm_mday)
        let clock =
            "\(Self.twoDigits(parts.tm_hour)):\(Self.twoDigits(parts.tm_min)):\(Self.twoDigits(parts.tm_sec))"
        timestamp = "\(year)-\(Self.twoDigits(parts.tm_mon + 1))-\(day)T\(clock)Z"
        let weekday = Self.weekdays[Int(parts.tm_wday)]
        httpDate = "\(weekday), \(day) \(Self.months[Int(parts.tm_mon)]) \(year) \(clock) GMT"
    }

    private static let weekdays = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    private static func twoDigits(_ value: Int32) -> String {
        value < 10 ? "0\(value)" : String(value)
    }
}
