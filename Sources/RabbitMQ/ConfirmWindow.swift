import DequeModule

/// The messages that were published on a channel and wait for the broker's answer, by their number.
///
/// A pure state machine: the broker numbers a channel's messages from 1 and answers one at a time, or all up to one.
package struct ConfirmWindow<Entry> {
    private var entries: Deque<Entry?> = []
    /// The number of the first entry.
    private var base: UInt64 = 1

    /// How many numbers lie between the oldest that waits and the newest.
    package var count: Int { entries.count }
    package var isEmpty: Bool { entries.isEmpty }

    package init() {}

    /// Adds the message that is published next.
    package mutating func append(_ entry: Entry) {
        entries.append(entry)
    }

    /// Takes out what an answer speaks of, oldest first; what was answered already is not there any more.
    package mutating func remove(upTo tag: UInt64, multiple: Bool) -> [Entry] {
        guard tag >= base, tag - base < UInt64(entries.count) else { return [] }
        let index = Int(tag - base)
        var removed: [Entry] = []
        if multiple {
            for entry in entries.prefix(index + 1) { if let entry { removed.append(entry) } }
            entries.removeFirst(index + 1)
            base = tag + 1
        } else if let entry = entries[index] {
            removed.append(entry)
            entries[index] = nil
        }
        while let first = entries.first, first == nil {
            entries.removeFirst()
            base += 1
        }
        return removed
    }

    /// The oldest entry that waits and fits.
    package func first(where predicate: (Entry) -> Bool) -> Entry? {
        for case let entry? in entries where predicate(entry) { return entry }
        return nil
    }

    /// All that wait.
    package var waiting: [Entry] { entries.compactMap { $0 } }
}
