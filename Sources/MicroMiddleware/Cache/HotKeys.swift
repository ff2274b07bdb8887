package import Foundation
internal import Synchronization

/// What a cached value is found by.
package struct HotKey: Sendable, Hashable {
    package var kind: String
    package var tenantID: UUID
    package var id: UUID

    package init(kind: String, tenantID: UUID, id: UUID) {
        self.kind = kind
        self.tenantID = tenantID
        self.id = id
    }
}

/// Which keys are asked for most, from a sample of the reads, in bounded memory.
///
/// Counts as the Space-Saving algorithm does (Metwally, Agrawal and El Abbadi, "Efficient Computation of Frequent and Top-k
/// Elements in Data Streams", ICDT 2005): when all places are taken, a new key takes that of the rarest and its count.
package final class HotKeys: Sendable {
    /// One read in so many is counted.
    package static let sampling: UInt64 = 8

    private let capacity: Int
    private let counts = Mutex<[HotKey: Int]>([:])
    private let turn = Atomic<UInt64>(0)

    package init(capacity: Int = 1_024) {
        self.capacity = max(1, capacity)
    }

    /// A key was asked for.
    func sample(_ key: @autoclosure () -> HotKey) {
        // Keys do not come in turns of eight, so that counting to eight is as good as dice.
        guard turn.wrappingAdd(1, ordering: .relaxed).oldValue % Self.sampling == 0 else { return }
        count(key())
    }

    /// Counts a key once.
    package func count(_ key: HotKey) {
        counts.withLock { counts in
            if let count = counts[key] {
                counts[key] = count + 1
            } else if counts.count < capacity {
                counts[key] = 1
            } else if let rarest = counts.min(by: { $0.value < $1.value }) {
                counts[rarest.key] = nil
                counts[key] = rarest.value + 1
            }
        }
    }

    /// What was counted since the last call.
    package func take() -> [HotKey: Int] {
        counts.withLock { counts in
            defer { counts = [:] }
            return counts
        }
    }
}
