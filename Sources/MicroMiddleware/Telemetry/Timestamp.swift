internal import Synchronization

#if canImport(FoundationEssentials)
    package import FoundationEssentials
#else
    package import Foundation
#endif

/// Moments as RFC 3339 texts in UTC with milliseconds: `2026-11-22T22:03:11.042Z`.
///
/// A request needs several such texts, so the part down to the second is kept from one call to the next.
package enum Timestamp {
    private struct Second: Sendable {
        var seconds: Int64 = .min
        var text = ""
    }

    private static let latest = Mutex(Second())

    /// The present moment.
    package static func now() -> String { render(Date()) }

    /// The moment as a text.
    package static func render(_ date: Date) -> String {
        let milliseconds = Int64((date.timeIntervalSince1970 * 1_000).rounded(.down))
        let seconds = milliseconds >= 0 ? milliseconds / 1_000 : (milliseconds - 999) / 1_000
        return render(seconds: seconds, milliseconds: Int(milliseconds - seconds * 1_000))
    }

    /// The moment that the text names, or `nil`. Any RFC 3339 text is read: offset, any number of fractional digits.
    package static func parse(_ text: String) -> Date? {
        let fraction = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
        return (try? Date(text, strategy: .iso8601)) ?? (try? Date(text, strategy: fraction))
    }

    private static func render(seconds: Int64, milliseconds: Int) -> String {
        let prefix = latest.withLock { latest in
            if latest.seconds != seconds {
                latest = Second(seconds: seconds, text: civil(seconds))
            }
            return latest.text
        }
        var text = prefix
        text.append(".")
        appendPadded(milliseconds, digits: 3, to: &text)
        text.append("Z")
        return text
    }

    /// `2026-11-22T22:03:11`, by the days-to-civil algorithm of the proleptic Gregorian calendar.
    private static func civil(_ seconds: Int64) -> String {
        let days = seconds >= 0 ? seconds / 86_400 : (seconds - 86_399) / 86_400
        let ofDay = Int(seconds - days * 86_400)
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        var text = ""
        text.reserveCapacity(24)
        appendPadded(Int(year), digits: 4, to: &text)
        for (separator, part) in [
            ("-", Int(month)), ("-", Int(day)), ("T", ofDay / 3_600), (":", ofDay / 60 % 60), (":", ofDay % 60),
        ] {
            text.append(separator)
            appendPadded(part, digits: 2, to: &text)
        }
        return text
    }

    private static func appendPadded(_ number: Int, digits: Int, to text: inout String) {
        let plain = String(number)
        for _ in 0..<max(0, digits - plain.utf8.count) {
            text.append("0")
        }
        text.append(plain)
    }
}
