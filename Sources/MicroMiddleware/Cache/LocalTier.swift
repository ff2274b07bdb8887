internal import Synchronization

/// The cache's part in this process: the keys that are asked for many times within half a second.
///
/// Bounded: two halves, of which the older is dropped when the younger is full.
final class LocalTier: Sendable {
    private struct Entry: Sendable {
        let value: any Sendable
        let until: ContinuousClock.Instant
    }

    private struct State {
        var young: [String: Entry] = [:]
        var old: [String: Entry] = [:]
        /// Raised whenever a key of the stripe is changed: a value that was loaded before is not kept afterwards.
        var stamps = [UInt64](repeating: 0, count: 256)
    }

    private let halfCapacity: Int
    private let state = Mutex(State())

    init(capacity: Int) {
        halfCapacity = max(1, capacity / 2)
    }

    /// The value that was stored, if it is young enough.
    func value(_ key: String, at now: ContinuousClock.Instant = .now) -> (any Sendable)? {
        state.withLock { state in
            guard let entry = state.young[key] ?? state.old[key], now < entry.until else { return nil }
            return entry.value
        }
    }

    /// To be taken before a value is loaded.
    func stamp(_ key: String) -> UInt64 {
        state.withLock { $0.stamps[Self.stripe(key)] }
    }

    /// Keeps a value, unless its key was changed since the stamp.
    func store(_ key: String, _ value: any Sendable, stamp: UInt64, until: ContinuousClock.Instant) {
        state.withLock { state in
            guard state.stamps[Self.stripe(key)] == stamp else { return }
            if state.young.count >= halfCapacity, state.young[key] == nil {
                state.old = state.young
                state.young = [:]
            }
            state.young[key] = Entry(value: value, until: until)
        }
    }

    func invalidate(_ key: String) {
        state.withLock { state in
            state.stamps[Self.stripe(key)] &+= 1
            state.young[key] = nil
            state.old[key] = nil
        }
    }

    func removeAll() {
        state.withLock { state in
            for stripe in state.stamps.indices { state.stamps[stripe] &+= 1 }
            state.young = [:]
            state.old = [:]
        }
    }

    var count: Int { state.withLock { $0.young.count + $0.old.count } }

    private static func stripe(_ key: String) -> Int {
        Int(UInt(bitPattern: key.hashValue) % 256)
    }
}
