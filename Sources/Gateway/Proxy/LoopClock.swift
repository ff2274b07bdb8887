internal import Glibc

/// The wall clock of one event loop, read once a tick, with the two texts that responses need: formatting a date for
/// every response would cost more than proxying it.
package struct LoopClock {
    /// RFC 3339, whole seconds, UTC: the `timestamp` of an envelope.
    package private(set) var timestamp = ""
    /// IMF-fixdate of RFC 9110 §5.6.7: the `Date` header.
    package private(set) var httpDate = ""
    package private(set) var secondsSince1970 = Int.min

    package init() {
        refresh()
    }

    /// Reads the clock; formats only when the second has changed.
    package mutating func refresh() {
        set(secondsSince1970: time(nil))
    }

    /// Sets the clock to an instant.
    package mutating func set(secondsSince1970 seconds: Int) {
        guard seconds != secondsSince1970 else { return }
        secondsSince1970 = seconds
        let (days, second) = (seconds / 86_400, seconds % 86_400)
        let (year, month, dayOfMonth) = Self.date(daysSince1970: days)
        let day = Self.twoDigits(dayOfMonth)
        let clock =
            "\(Self.twoDigits(second / 3_600)):\(Self.twoDigits(second / 60 % 60)):\(Self.twoDigits(second % 60))"
        timestamp = "\(year)-\(Self.twoDigits(month))-\(day)T\(clock)Z"
        httpDate = "\(Self.weekdays[days % 7]), \(day) \(Self.months[month - 1]) \(year) \(clock) GMT"
    }

    /// The proleptic Gregorian date of a day, counted in eras of 400 years that begin in March.
    private static func date(daysSince1970 days: Int) -> (year: Int, month: Int, day: Int) {
        let shifted = days + 719_468
        let (era, dayOfEra) = (shifted / 146_097, shifted % 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
    }

    /// The first day of 1970 was a Thursday.
    private static let weekdays = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    private static func twoDigits(_ value: Int) -> String {
        value < 10 ? "0\(value)" : String(value)
    }
}
