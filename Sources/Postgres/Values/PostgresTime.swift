import Foundation

/// PostgreSQL counts time in microseconds since 2000-01-01T00:00:00Z.
enum PostgresTime {
    /// Seconds from 1970 to 2000.
    private static let epoch: Double = 946_684_800

    static func microseconds(_ date: Date) -> Int64 {
        let seconds = date.timeIntervalSince1970 - epoch
        // Beyond what timestamptz holds: its own infinities.
        if seconds > 9_000_000_000_000 { return .max }
        if seconds < -9_000_000_000_000 { return .min }
        let whole = seconds.rounded(.down)
        return Int64(whole) * 1_000_000 + Int64(((seconds - whole) * 1_000_000).rounded())
    }

    static func date(microseconds: Int64) -> Date {
        if microseconds == .max { return .distantFuture }
        if microseconds == .min { return .distantPast }
        let (seconds, fraction) = microseconds.quotientAndRemainder(dividingBy: 1_000_000)
        return Date(timeIntervalSince1970: epoch + Double(seconds) + Double(fraction) / 1_000_000)
    }

    static func date(days: Int32) -> Date {
        Date(timeIntervalSince1970: epoch + Double(days) * 86_400)
    }
}
