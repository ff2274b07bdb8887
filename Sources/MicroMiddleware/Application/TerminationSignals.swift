internal import Dispatch
package import Logging
internal import Synchronization

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// SIGTERM and SIGINT: the first asks, the second ends the process, and so does the time that stopping may take.
///
/// Signals are handled on a queue of their own, so that a process whose threads all hang can still be ended.
package final class TerminationSignals: Sendable {
    private let received: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation
    private let queue = DispatchQueue(label: "authms.signals")
    /// Not changed once made; a dispatch source may be used from any thread, though its type does not say so.
    private nonisolated(unsafe) let sources: [(number: CInt, source: any DispatchSourceSignal)]
    private let count = Atomic<Int>(0)

    /// - Parameter timeout: How long after the first signal the process ends itself.
    package init(timeout: Duration, logger: Logger) {
        (received, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        signal(SIGPIPE, SIG_IGN)
        sources = [SIGTERM, SIGINT].map { [queue] number in
            signal(number, SIG_IGN)
            return (number, DispatchSource.makeSignalSource(signal: number, queue: queue))
        }
        for (number, source) in sources {
            source.setEventHandler { [self] in
                if count.add(1, ordering: .relaxed).newValue > 1 {
                    logger.warning("a second signal: ending at once")
                    _exit(128 + number)
                }
                logger.info("stopping on signal \(number)")
                queue.asyncAfter(deadline: .now() + .milliseconds(Self.milliseconds(timeout))) {
                    logger.error("stopping took longer than \(DurationText.render(timeout)): ending at once")
                    _exit(75)
                }
                continuation.yield()
            }
            source.activate()
        }
    }

    /// Returns at the first signal, or when the task is cancelled.
    package func first() async {
        for await _ in received { return }
    }

    /// Stops listening for signals.
    package func finish() {
        for (number, source) in sources {
            source.cancel()
            signal(number, SIG_DFL)
        }
        continuation.finish()
    }

    private static func milliseconds(_ duration: Duration) -> Int {
        Int(clamping: duration.components.seconds * 1_000 + duration.components.attoseconds / 1_000_000_000_000_000)
    }
}
