import Dispatch
import Foundation
import Synchronization

/// The suites that commands of this program have started and not stopped yet.
///
/// Whoever interrupts a measurement of many minutes must not find its databases and brokers still running an hour later.
enum LivePrivateSuites {
    private static let live = Mutex<[(process: Process, layout: StackLayout)]>([])
    private static let signalled = Atomic<Bool>(false)
    private static let queue = DispatchQueue(label: "authms.private-suites")
    /// Made once, and never changed.
    private nonisolated(unsafe) static let sources = [SIGINT, SIGTERM].map { number in
        signal(number, SIG_IGN)
        let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
        source.setEventHandler { received(number) }
        source.activate()
        return source
    }

    /// From now on the first SIGINT or SIGTERM stops them, removes what they made, and ends this program with
    /// 128 + the signal's number; the second ends it at once.
    static func stopOnSignals() { _ = sources }

    static func add(_ process: Process, _ layout: StackLayout) {
        live.withLock { $0.append((process, layout)) }
    }

    static func remove(_ process: Process) {
        live.withLock { $0.removeAll { $0.process === process } }
    }

    /// Where a signal has stopped them, what they were for fails; that must not end this program before they are forgotten.
    static func waitForEndIfSignalled() async {
        while signalled.load(ordering: .relaxed) { try? await Task.sleep(for: .seconds(1)) }
    }

    private static func received(_ number: CInt) {
        guard !signalled.exchange(true, ordering: .relaxed) else { _exit(128 + number) }
        let suites = live.withLock { $0 }
        if !suites.isEmpty {
            FileHandle.standardError.write(Data("\nStopping the suite of its own …\n".utf8))
        }
        // On a thread of its own: a second signal is still heard.
        Thread.detachNewThread {
            for (process, _) in suites where process.isRunning { process.terminate() }
            let end = Date() + 60
            while suites.contains(where: \.process.isRunning), Date() < end { Thread.sleep(forTimeInterval: 0.05) }
            for (_, layout) in suites { PrivateSuite.forget(layout) }
            _exit(128 + number)
        }
    }
}
