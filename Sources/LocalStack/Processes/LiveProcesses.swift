import Synchronization

/// The ids of the child processes that run now, for the last resort of a process that ends without stopping them: a
/// test run's `atexit` handler, which cannot wait for anything asynchronous.
package enum LiveProcesses {
    private static let identifiers = Mutex<Set<Int32>>([])

    static func add(_ identifier: Int32) {
        identifiers.withLock { _ = $0.insert(identifier) }
    }

    static func remove(_ identifier: Int32) {
        identifiers.withLock { _ = $0.remove(identifier) }
    }

    /// Those that have not been seen to end.
    package static var all: [Int32] { identifiers.withLock { Array($0) } }
}
