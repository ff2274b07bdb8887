import ServiceLifecycle
import Synchronization

/// Knows that this process has just been stopped and continued: SIGSTOP, a frozen virtual machine, a debugger.
///
/// What such a process reads first has waited in its sockets, and was answered by somebody else meanwhile. Acting on it
/// would change what nobody asks for any more. Clocks are of no help, since they may differ between machines; a pulse
/// that was missed is.
package final class StallDetector: Service {
    /// A pulse later than this is a stop: shorter ones nobody has noticed.
    package static let threshold = Duration.seconds(1)
    /// For how long after a stop what arrives is suspect.
    package static let quarantine = Duration.milliseconds(250)
    private static let interval = Duration.milliseconds(100)

    private struct State {
        var lastPulse: ContinuousClock.Instant?
        var resumedAt: ContinuousClock.Instant?
    }

    private let state = Mutex(State())

    package init() {}

    /// Whether what has just been read may have been waiting since before a stop. False where no pulse runs.
    package func hasJustResumed(at now: ContinuousClock.Instant = .now) -> Bool {
        state.withLock { state in
            if let last = state.lastPulse, now - last > Self.threshold { return true }
            return state.resumedAt.map { now - $0 < Self.quarantine } ?? false
        }
    }

    /// Notes that the process is running.
    package func pulse(at now: ContinuousClock.Instant = .now) {
        state.withLock { state in
            if let last = state.lastPulse, now - last > Self.threshold { state.resumedAt = now }
            state.lastPulse = now
        }
    }

    /// Pulses until graceful shutdown.
    package func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                self.pulse()
                try? await Task.sleep(for: Self.interval)
            }
        }
        // What is still in flight is acted on.
        state.withLock { $0 = State() }
    }
}
