package import Foundation
import Synchronization

extension UUID {
    /// A UUID of version 7 (RFC 9562, section 5.7): 48 bits of Unix milliseconds, a 12-bit counter, 62 random bits.
    ///
    /// Values made by one process strictly increase, also within a millisecond and when the clock steps back
    /// (section 6.2, method 1), so that they index well and sort by creation.
    ///
    /// - Parameter now: the time to embed; injected where a test needs it.
    package static func v7(now: Date = Date()) -> UUID {
        let milliseconds = UInt64(max(0, now.timeIntervalSince1970 * 1_000))
        let (time, counter) = UUIDv7State.shared.next(milliseconds: milliseconds)
        let random = UInt64.random(in: 0...UInt64.max)
        func byte(_ value: UInt64, _ shift: UInt64) -> UInt8 { UInt8(truncatingIfNeeded: value >> shift) }
        return UUID(
            uuid: (
                byte(time, 40), byte(time, 32), byte(time, 24), byte(time, 16), byte(time, 8), byte(time, 0),
                0x70 | byte(counter, 8) & 0x0F, byte(counter, 0),
                0x80 | byte(random, 56) & 0x3F, byte(random, 48), byte(random, 40), byte(random, 32),
                byte(random, 24), byte(random, 16), byte(random, 8), byte(random, 0)
            ))
    }
}

/// The last instant and counter handed out, so that the next value is greater.
private final class UUIDv7State: Sendable {
    static let shared = UUIDv7State()
    private let last = Mutex((milliseconds: UInt64(0), counter: UInt64(0)))

    func next(milliseconds: UInt64) -> (milliseconds: UInt64, counter: UInt64) {
        last.withLock { last in
            if milliseconds > last.milliseconds {
                // The counter starts in its lower half, which leaves room for 2,048 more in the same millisecond.
                last = (milliseconds, UInt64.random(in: 0..<0x800))
            } else if last.counter < 0xFFF {
                last.counter += 1
            } else {
                last = (last.milliseconds + 1, 0)
            }
            return last
        }
    }
}
